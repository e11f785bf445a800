import { readFile } from 'node:fs/promises';
import type { StageOutcome } from '../engine/execute.ts';
import { readManifest } from '../plan/read-manifest.ts';
import { examReport } from '../stages/exam/report.ts';
import type { Context, Options } from './context.ts';
import { printJson, printTable } from './output.ts';
