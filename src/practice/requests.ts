import * as z from 'zod';

const text = z.union([
  z.string(),
  z.array(z.looseObject({ text: z.string() })).transform((parts) => parts.map((part) => part.text).join('')),
]);

/** As much of a chat request as the practice teacher reads. */
export const chatRequest = z.looseObject({
  model: z.string(),
  messages: z.array(z.looseObject({ role: z.enum(['system', 'developer', 'user', 'assistant']), content: text })).min(1),
  temperature: z.number().min(0).max(2).nullish(),
  seed: z.number().nullish(),
  stream: z.boolean().nullish(),
  store: z.boolean().nullish(),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
  max_tokens: z.int().positive().nullish(),
  max_completion_tokens: z.int().positive().nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  response_format: z
    .looseObject({
      type: z.string(),
      json_schema: z.looseObject({ name: z.string(), schema: z.record(z.string(), z.unknown()) }).optional(),
    })
    .nullish(),
});
export type ChatBody = z.infer<typeof chatRequest>;

export interface Reply {
  readonly content: string;
  readonly refusal?: string;
  readonly finishReason: 'stop' | 'length';
}
