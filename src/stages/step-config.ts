import * as z from 'zod';
import { sha256 } from '../base/sha256.ts';
import type { Call } from '../calls/call.ts';
import type { SessionOptions } from '../calls/session.ts';
import type { TaskContext } from './stage.ts';

/** How one model is called, as `callConfig` wrote it. */
export const callFields = z.object({
  teacher: z.string(),
  model: z.string(),
  temperature: z.number(),
  top_p: z.number(),
  max_tokens: z.int(),
});
export type CallFields = z.infer<typeof callFields>;

export function callOf(
  { teacher, model, temperature, top_p, max_tokens }: CallFields,
  purpose: string,
  messages: Call['messages'],
): Call {
  return { teacher, purpose, model, messages, sampling: { temperature, top_p, max_tokens } };
}

export function sessionOf(context: TaskContext): SessionOptions {
  const { step, journal, earlier, budgetUsd, teacher, servers, signal, progress, flush, note } = context;
  return {
    step,
    journal,
    earlier,
    ...(budgetUsd === undefined ? {} : { budgetUsd }),
    teacher,
    servers,
    signal,
    progress,
    flush,
    note,
  };
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
