import { sha256 } from '../base/sha256.ts';
import type { SessionOptions } from '../calls/session.ts';
import type { TaskContext } from './stage.ts';

export function sessionOf(context: TaskContext): SessionOptions {
  const { step, callLog, earlier, budgetUsd, teacher, servers, signal, progress, flush, flushBound, sure, note } = context;
  const optional = { ...(budgetUsd === undefined ? {} : { budgetUsd }), ...(sure === undefined ? {} : { sure }) };
  return { step, callLog, earlier, ...optional, teacher, servers, signal, progress, flush, flushBound, note };
}

/** The id that H4's data sets give a prompt: sha256 of its text. */
export function promptId(prompt: string): string {
  return sha256(prompt);
}

/** The folder of an input that the step must have. */
export function inputFolder(context: TaskContext, name: string): string {
  const folder = context.inputs[name];
  if (folder === undefined) throw new Error(`Cannot find input "${name}": the step was planned without it`);
  return folder;
}
