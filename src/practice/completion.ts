import { sha256 } from '../base/sha256.ts';
import type { Logprobs } from './logprobs.ts';
import type { ChatBody, Reply } from './requests.ts';
import type { ChatCompletion } from './stored.ts';

/** Tokens are counted as words here: enough to bill by. */
export const countTokens = (text: string) => text.split(/\s+/).length;

export function promptTokensOf({ messages }: ChatBody): number {
  return messages.reduce((sum, { content }) => sum + countTokens(content) + 3, 0);
}

/** The words as a reply of at most `limit` tokens. */
export function cut(words: string, limit: number): Reply {
  if (countTokens(words) <= limit) return { content: words, finishReason: 'stop' };
  return { content: words.split(/\s+/).slice(0, limit).join(' '), finishReason: 'length' };
}

/** `of` determines the id: the body as it was sent, and the number of calls answered before. */
export function completionOf(body: ChatBody, of: string, reply: Reply, logprobs?: Logprobs): ChatCompletion {
  const promptTokens = promptTokensOf(body);
  const completionTokens = countTokens(reply.content);
  return {
    id: `chatcmpl-${sha256(of).slice(0, 24)}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: body.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: reply.refusal === undefined ? reply.content : null,
          refusal: reply.refusal ?? null,
        },
        finish_reason: reply.finishReason,
        logprobs: logprobs ?? null,
      },
    ],
    usage: { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: promptTokens + completionTokens },
    ...(body.metadata == null ? {} : { metadata: body.metadata }),
  };
}
