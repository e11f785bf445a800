import type { ListedRun } from '../engine/run-list.ts';
import { EXIT, type ExitName, ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import type { RunEvent } from '../model/event.ts';
import { redactor } from '../render/redact.ts';
import { onSameHub } from './same-hub.ts';
import { knownSecrets } from './secrets.ts';

const ID = /hf:\/\/(?:models|datasets)\/[^\s"/@]+\/[^\s"/@]+@(?:run-[0-9a-z]{26}|[0-9a-f]{40})/g;

type Document = { readonly ids: readonly string[]; readonly members: Readonly<Record<string, unknown>> };

/** What the events of this command named so far, and what its answer is. One command a process. */
const told = { made: new Set<string>(), run: undefined as string | undefined, document: undefined as Document | undefined };

/** Remembers what an event names, for the verdict. */
export function noteIds(event: RunEvent): void {
  if (event.type === 'stage-done') told.made.add(formatRef(event.artifact));
  if (event.type === 'stage-started' || event.type === 'stage-failed') told.run = event.run;
}

/** Remembers the run that a command is about. */
export function noteRun({ repo, run }: ListedRun): void {
  told.run = formatRef({ ...repo, revision: run });
}

/**
 * How a command ended, for a program that called it with `--json`: the exit status by name, such as `job-failed`, and whole
 * references, of what was made or of the run to go on with.
 */
function verdictOf(exit: number, ids: readonly string[]) {
  const name = (Object.keys(EXIT) as ExitName[]).find((one) => EXIT[one] === exit) ?? 'bug';
  return { kind: name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`), exit, ids };
}

/** The answer of a command that looks something up, printed as its one line when its exit status is known. */
export function setDocument(ids: readonly string[], members: Readonly<Record<string, unknown>>): void {
  told.document = { ids, members };
}

/** The last line of a command with `--json`: its document, which is the only one then, or a verdict alone. */
export function lastLine(exit: number, error?: unknown): string {
  const verdict = error === undefined ? ending(exit) : failure(exit, error);
  const line = told.document === undefined ? { v: 1, type: 'verdict', ...verdict } : { ...verdict, ...told.document.members };
  return `${JSON.stringify(line)}\n`;
}

function ending(exit: number) {
  if (told.document !== undefined) return verdictOf(exit, told.document.ids);
  return verdictOf(exit, exit === EXIT.done ? [...told.made] : told.run === undefined ? [] : [told.run]);
}

function failure(exit: number, error: unknown) {
  const redact = redactor(knownSecrets);
  const message = redact(error instanceof Error ? error.message : String(error));
  const hint = error instanceof ZephyrError && error.hint !== undefined ? onSameHub(redact(error.hint)) : undefined;
  const ids = told.run === undefined ? [...new Set(`${message} ${hint ?? ''}`.match(ID))] : [told.run];
  return { ...verdictOf(exit, ids), message, hint };
}
