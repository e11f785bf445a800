import type { ListedRun } from '../engine/run-list.ts';
import { EXIT, type ExitName, ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import type { RunEvent } from '../model/event.ts';
import { redactor } from '../render/redact.ts';
import { knownSecrets } from './secrets.ts';

/** How a command ended, for a program that called it with `--json`. */
export interface Verdict {
  /** the exit status by name, such as `done` or `job-failed` */
  readonly kind: string;
  readonly exit: number;
  /** whole references: what was made, else the run to go on with */
  readonly ids: readonly string[];
}

const ID = /hf:\/\/(?:models|datasets)\/[^\s"/@]+\/[^\s"/@]+@(?:run-[0-9a-z]{26}|[0-9a-f]{40})/g;

/** What the events of this command named so far, and whether a document was its answer. One command a process. */
const told = { made: new Set<string>(), run: undefined as string | undefined, document: false };

/** Remembers what an event names, for the verdict. */
export function noteIds(event: RunEvent): void {
  if (event.type === 'stage-done') told.made.add(formatRef(event.artifact));
  if (event.type === 'stage-started' || event.type === 'stage-failed') told.run = event.run;
}

/** Remembers the run that a command is about. */
export function noteRun({ repo, run }: ListedRun): void {
  told.run = formatRef({ ...repo, revision: run });
}

export function verdictOf(exit: number, ids: readonly string[]): Verdict {
  const name = (Object.keys(EXIT) as ExitName[]).find((one) => EXIT[one] === exit) ?? 'bug';
  return { kind: name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), exit, ids };
}

/** The one document of a command that looks something up: its members and the verdict, on one line. */
export function printDocument(exit: number, ids: readonly string[], members: Readonly<Record<string, unknown>>): void {
  told.document = true;
  process.stdout.write(`${JSON.stringify({ ...verdictOf(exit, ids), ...members })}\n`);
}

/** The last line of a command with `--json`: nothing where a document has said it already and no error came after. */
export function lastLine(exit: number, error?: unknown): string {
  if (error === undefined) {
    if (told.document) return '';
    const ids = exit === EXIT.done ? [...told.made] : told.run === undefined ? [] : [told.run];
    return `${JSON.stringify({ v: 1, type: 'verdict', ...verdictOf(exit, ids) })}\n`;
  }
  const redact = redactor(knownSecrets);
  const message = redact(error instanceof Error ? error.message : String(error));
  const hint = error instanceof ZephyrError && error.hint !== undefined ? redact(error.hint) : undefined;
  const ids = told.run === undefined ? [...new Set(`${message} ${hint ?? ''}`.match(ID))] : [told.run];
  return `${JSON.stringify({ v: 1, type: 'verdict', ...verdictOf(exit, ids), message, ...(hint === undefined ? {} : { hint }) })}\n`;
}
