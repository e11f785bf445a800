// Writes the sources that follow from others: `node scripts/generate.mjs [--out FILE]`. Run it after a change of a program.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './stamp.mjs';

const FILE = 'src/stages/generated/programs.ts';
const { values } = parseArgs({ options: { out: { type: 'string', default: join(root, FILE) } } });

const environment = join(root, '.venv/bin/python');
const python = existsSync(environment) ? environment : 'python3';
const text = execFileSync(python, ['scripts/describe_programs.py', 'scripts/train'], { cwd: root });
mkdirSync(dirname(values.out), { recursive: true });
writeFileSync(values.out, text);
