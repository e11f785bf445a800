import * as z from 'zod';
import type { ChatReply } from './teacher.ts';
import { readUsage } from './usage.ts';

/** The kinds of parts whose text is the reply's; others hold thoughts, or a refusal. */
const SPOKEN: ReadonlySet<string> = new Set(['text', 'output_text']);

/** Some servers give a text in parts, their thoughts among them, which are no text. */
const textParts = z.union([
  z.string(),
  z
    .array(z.looseObject({ type: z.string().optional().catch(undefined), text: z.string().optional().catch(undefined) }))
    .transform((parts) => parts.map(({ type = 'text', text = '' }) => (SPOKEN.has(type) ? text : '')).join('')),
]);

/** As much of a chat completion as zephyr reads; servers differ in the rest. */
const completion = z.looseObject({
  choices: z
    .array(
      z.looseObject({
        // An invalid extra field must not make a paid answer unreadable.
        finish_reason: z.string().nullish().catch(undefined),
        message: z.looseObject({ content: textParts.nullish(), refusal: z.string().nullish().catch(undefined) }),
        logprobs: z
          .looseObject({
            content: z
              .array(
                z.looseObject({ top_logprobs: z.array(z.looseObject({ token: z.string(), logprob: z.number() })).nullish() }),
              )
              .nullish(),
          })
          .nullish()
          .catch(undefined),
      }),
    )
    .min(1),
  usage: z.unknown().optional(),
});

/** Reads the body of a chat completion (parsed JSON); `undefined` when it is none. Pure: the call log is read with it again. */
export function readReply(raw: unknown, requestId: string | undefined): ChatReply | undefined {
  const body = completion.safeParse(raw);
  const choice = body.data?.choices[0];
  if (body.data === undefined || choice === undefined) return undefined;
  const text = choice.message.content ?? '';
  const { input, output } = readUsage(body.data.usage);
  // No text takes no tokens: a server that says so has not counted.
  const isSaid = output !== 0 || (text === '' && !choice.message.refusal);
  return {
    text,
    finishReason: choice.finish_reason || 'unknown',
    // Some servers send an empty text where there is none.
    refusal: choice.message.refusal || undefined,
    promptTokens: input,
    completionTokens: isSaid ? output : undefined,
    requestId,
    alternatives: choice.logprobs?.content?.[0]?.top_logprobs
      ?.map(({ token, logprob }) => ({ token, logprob }))
      .sort((a, b) => b.logprob - a.logprob),
    raw,
  };
}
