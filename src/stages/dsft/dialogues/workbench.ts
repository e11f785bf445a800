import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallSession } from '../../../calls/session.ts';
import type { Unanswered } from '../../../calls/unanswered.ts';
import type { Opening, Settings } from './settings.ts';

/** How many different texts are asked for, and how many there must be when no more can be found. */
export interface OpeningAmount {
  readonly least: number;
  readonly wanted: number;
  /** calls that follow once they are there, as far as is known: for the progress */
  readonly after: number;
}

/** How openings are made: the session to ask with, and the texts of the step. */
export interface Workbench {
  readonly session: CallSession;
  readonly settings: Settings;
  readonly template: (name: string) => Promise<string>;
  /** folder of the texts that exist, with material */
  readonly material: string | undefined;
  readonly count: (what: string, by?: number) => void;
  readonly unanswered: Unanswered;
}

export function templatesOf(files: string): Workbench['template'] {
  return async (name) => (await readFile(join(files, `templates/user-${name}.md`), 'utf8')).trim();
}

/**
 * Different openings of a kind, those from before first: the number that `OpeningAmount` says, in an order that does not
 * depend on which reply came first.
 */
export type Openings = (amount: OpeningAmount) => Promise<readonly Opening[]>;
