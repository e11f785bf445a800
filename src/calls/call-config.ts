import * as z from 'zod';
import type { Call } from './call.ts';

/** How one model is called, as `callConfig` wrote it; what its server does not take is not there. */
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
