import type { IncomingHttpHeaders } from 'node:http';
import { type Refusal, send } from './exchange.ts';
import type { ChatBody, Reply } from './requests.ts';

export interface PracticeRequest {
  readonly body: ChatBody;
  /** the body as it was sent */
  readonly text: string;
  /** undefined for a request in a batch */
  readonly headers: IncomingHttpHeaders | undefined;
}

/** How the server treats the answer to one chat request. */
export interface ChatOutcome {
  readonly headers: Readonly<Record<string, string>>;
  /** Sent in place of an answer. It is neither counted nor logged. */
  readonly refusal: Refusal | undefined;
  readonly reply: Reply;
  readonly hasLogprobs: boolean;
  readonly send: (...answer: Parameters<typeof send>) => void | Promise<void>;
}

export interface BatchOutcome {
  /** how it ends unless it is cancelled on the way */
  readonly status: 'completed' | 'expired' | 'cancelled';
  /** share of its requests that are answered until then */
  readonly share: number;
  /** Each of its requests gets an error of status 503. */
  readonly isOverloaded: boolean;
}

/** The one hook of the practice server: where it departs from a good server. Only servers of tests bring their own. */
export interface Faults {
  readonly chat: (request: PracticeRequest, reply: Reply) => ChatOutcome | Promise<ChatOutcome>;
  /** Bytes of a download of `size` bytes after which the connection breaks; `size` for none. */
  readonly download: (size: number) => number;
  /** milliseconds that pass before the work on a batch begins */
  readonly batchDelay: () => number;
  /** Why a batch is refused as a whole: `queued` counts the input tokens of the other unfinished batches. */
  readonly batchRefusal: (tokens: number, queued: number) => Pick<Refusal, 'code' | 'message'> | undefined;
  readonly batch: () => BatchOutcome;
  /** makes the lines of a batch's output file from the correct ones */
  readonly batchOutput: (id: string, lines: readonly string[]) => readonly string[];
}

export const NO_FAULTS: Faults = {
  chat: (_, reply) => ({ headers: {}, refusal: undefined, reply, hasLogprobs: true, send }),
  download: (size) => size,
  batchDelay: () => 0,
  batchRefusal: () => undefined,
  batch: () => ({ status: 'completed', share: 1, isOverloaded: false }),
  batchOutput: (_, lines) => lines,
};
