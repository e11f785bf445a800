import { canonicalJson } from '../base/canonical-json.ts';
import { sha256 } from '../base/sha256.ts';
import type { ChatFailure, ChatMessage, ChatReply, ChatRequest } from '../teachers/teacher.ts';

/** Attempts at a call whose answer may have been billed and cannot be read: a second may help, a third only costs. */
export const MOST_UNREAD = 2;

/** One paid question. */
export interface Call {
  /** The recipe's name of the teacher that is asked; not part of the key. */
  readonly teacher: string;
  /** What the answer is for, `judge honesty`: two equal requests with two purposes are two calls. */
  readonly purpose: string;
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly sampling: {
    readonly temperature?: number;
    readonly top_p?: number;
    readonly max_tokens: number;
    readonly seed?: number;
  };
  readonly schema?: NonNullable<ChatRequest['schema']>;
  /** Asks for the log-probabilities of this many alternatives of the first token; part of the key. */
  readonly top_logprobs?: number;
}

export type CallOutcome =
  | { readonly ok: true; readonly key: string; readonly reply: ChatReply; readonly replayed: boolean }
  | {
      readonly ok: false;
      readonly key: string;
      readonly failure: Pick<ChatFailure, 'kind' | 'message' | 'status'>;
      readonly replayed: boolean;
    };

/**
 * The name of a call, 64 hex digits: sha256 over the canonical JSON of all that shapes the answer. Left out on purpose are
 * the server, the run and the row number, so that another server, another machine or more rows keep what was paid.
 */
export function callKey({ purpose, model, messages, sampling, schema, top_logprobs }: Call): string {
  const shape = { purpose, model, messages, sampling, schema: schema ?? null, top_logprobs };
  return sha256(canonicalJson({ version: 'zephyr-call/1', ...shape }));
}

/** The call as a server is asked it. */
export function requestOf({ model, messages, sampling, schema, top_logprobs }: Call, key: string): ChatRequest {
  return {
    model,
    messages,
    ...sampling,
    ...(schema === undefined ? {} : { schema }),
    ...(top_logprobs === undefined ? {} : { top_logprobs }),
    key,
  };
}
