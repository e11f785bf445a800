import * as z from 'zod';
import { sha256 } from '../base/sha256.ts';
import type { Call } from '../calls/call.ts';
import type { SessionOptions } from '../calls/session.ts';
import type { TaskContext } from './stage.ts';

/** How one model is called, as `callConfig` wrote it. */
export const callFields = z.object({
  teacher: z.string(),
  model: z.string(),
  temperature: z.number().exactOptional(),
  top_p: z.number().exactOptional(),
  max_tokens: z.int(),
  structured: z.literal(false).exactOptional(),
});
export type CallFields = z.infer<typeof callFields>;

/** `schema`: of the reply. A server that does not take one has it in the instructions, so that the model knows it. */
export function callOf(
  { teacher, model, structured, ...sampling }: CallFields,
  purpose: string,
  messages: Call['messages'],
  schema?: Call['schema'],
): Call {
  const call = { teacher, purpose, model, messages, sampling };
  if (schema === undefined) return call;
  return structured === false ? { ...call, messages: withSchema(messages, schema.schema) } : { ...call, schema };
}

function withSchema(messages: Call['messages'], schema: object): Call['messages'] {
  const [first, ...rest] = messages;
  if (first === undefined) return messages;
  const told = `The reply is one JSON object and nothing else, after this JSON Schema:\n\n${JSON.stringify(schema)}`;
  return [{ ...first, content: `${first.content}\n\n${told}` }, ...rest];
}

export function sessionOf(context: TaskContext): SessionOptions {
  const { step, journal, earlier, budgetUsd, teacher, servers, signal, progress, flush, flushBound, sure, note } = context;
  const optional = { ...(budgetUsd === undefined ? {} : { budgetUsd }), ...(sure === undefined ? {} : { sure }) };
  return { step, journal, earlier, ...optional, teacher, servers, signal, progress, flush, flushBound, note };
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
