/** One chat message, as every chat API has it. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  /** left out where the server does not take it, as are `top_p` and `schema` */
  readonly temperature?: number;
  readonly top_p?: number;
  /** tokens of the reply at most */
  readonly max_tokens: number;
  readonly seed?: number;
  /** JSON Schema that the reply must follow, with its name */
  readonly schema?: { readonly name: string; readonly schema: Readonly<Record<string, unknown>> };
  /** Asks for the log-probabilities of this many alternatives of each token, 20 at most. */
  readonly top_logprobs?: number;
  /** The key of the call. Servers that can store it, so that zephyr finds an answer that was lost in a crash. */
  readonly key: string;
}

/** A token that the model might have begun its reply with, and the natural logarithm of its probability. */
export interface TokenAlternative {
  readonly token: string;
  readonly logprob: number;
}

/** What came back, before its text is read for what it means. */
export interface ChatReply {
  readonly text: string;
  readonly finishReason: string;
  readonly refusal: string | undefined;
  /** as billed, reasoning included; `undefined` where the server does not say */
  readonly promptTokens: number | undefined;
  readonly completionTokens: number | undefined;
  readonly requestId: string | undefined;
  /** of the first token, likeliest first; `undefined` where the server sends none */
  readonly alternatives: readonly TokenAlternative[] | undefined;
  /** The body of the answer as the server sent it, parsed JSON: a chat completion that `readReply` reads again. */
  readonly raw: unknown;
}

/**
 * `again` may be tried again (after `afterMs` where the server said so), `final` and `refused` may not: `final` says that
 * this call is refused for what is in it, too long or filtered, `refused` that its form is, a parameter or a schema, and so
 * will be that of every call like it. `quota` and `stop` are the end of this server, whatever is asked: the account is
 * empty, or there is no access or no such model.
 */
export interface ChatFailure {
  readonly kind: 'again' | 'final' | 'refused' | 'quota' | 'stop';
  readonly message: string;
  /** HTTP status; 0 when no connection came about; `undefined` when it broke, so that the call may have been billed */
  readonly status: number | undefined;
  readonly afterMs: number | undefined;
  /** The server says that it has answered, but the answer cannot be read: a second attempt may be billed too. */
  readonly isUnread?: true;
}

/** What a server says of one of its limits. Source: OpenAI's headers x-ratelimit-{limit,remaining,reset}-{requests,tokens}. */
export interface LimitState {
  /** a minute */
  readonly limit: number;
  readonly remaining: number;
  /** milliseconds until all of it is there again */
  readonly resetMs: number | undefined;
}
export interface ServerLimits {
  readonly requests?: LimitState;
  readonly tokens?: LimitState;
}

export type ChatAnswer = (
  | { readonly ok: true; readonly reply: ChatReply }
  | { readonly ok: false; readonly failure: ChatFailure }
) & { readonly limits?: ServerLimits };

/** United States dollars per million tokens, and the part of it that a call in a batch costs. */
export interface Price {
  readonly input: number;
  readonly output: number;
  readonly batch: number;
}

/** What a server admits in a minute, as far as the recipe says; its headers say it better. */
export interface TeacherLimits {
  readonly requestsPerMinute: number | undefined;
  readonly tokensPerMinute: number | undefined;
}

/** What the server says to a request that is about a batch or a file. */
export type BatchSaid<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: ChatFailure };

/** A batch as the server knows it. */
export interface ServerBatch {
  readonly id: string;
  /** in OpenAI's words, of which `completed`, `failed`, `expired` and `cancelled` are final; else in the server's, in small letters */
  readonly status: string;
  /** names of the files with the answers, and with the requests that failed */
  readonly outputFile: string | undefined;
  readonly errorFile: string | undefined;
  /** milliseconds since 1970; by the latter it is to be over */
  readonly createdAt: number | undefined;
  readonly expiresAt: number | undefined;
  /** requests answered so far, where the server counts them */
  readonly answered: number | undefined;
  /** Why it was refused as a whole; `line` counts from 1. */
  readonly errors: readonly { readonly code: string; readonly message: string; readonly line: number | undefined }[];
}

/** A file as the server knows it: a batch may name it once it is `ready`; `why` it never will be. */
export interface ServerFile {
  readonly id: string;
  readonly state: 'ready' | 'pending' | 'failed';
  readonly why: string | undefined;
}

/** A line of a batch's output or error file; without `customId` it could not be read. */
export type BatchLine =
  | { readonly customId: string; readonly answer: ChatAnswer }
  | { readonly customId: undefined; readonly text: string };

/** Calls by the file. Like `complete`, every function sends one request once; none throws but what its caller threw. */
export interface BatchApi {
  /** of one file at most */
  readonly requests: number;
  readonly bytes: number;
  /** tokens of all batches at the server at most */
  readonly queuedTokens: number | undefined;
  readonly pollMs: number;
  /** How long after the death of a process a batch that it asked for may still turn up in the server's list. */
  readonly settleMs: number;
  /** The body of a request as JSON text, the same as that of a live call. */
  body(request: ChatRequest): string;
  /** A line of the request file, without its newline; names a body. */
  line(customId: string, body: string): string;
  /** Sends a file of requests under a name. */
  upload(path: string, name: string, signal: AbortSignal): Promise<BatchSaid<ServerFile>>;
  /** How a file is that was uploaded. */
  file(id: string, signal: AbortSignal): Promise<BatchSaid<ServerFile>>;
  /** `undefined`: there is none, since the server has not processed the file yet. */
  create(
    file: string,
    metadata: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<BatchSaid<ServerBatch | undefined>>;
  retrieve(id: string, signal: AbortSignal): Promise<BatchSaid<ServerBatch>>;
  /** All batches with these metadata, newest first. */
  find(metadata: Readonly<Record<string, string>>, signal: AbortSignal): Promise<BatchSaid<readonly ServerBatch[]>>;
  /** Hands the lines of an output or error file to `take` as they arrive. */
  read(file: string, take: (lines: readonly BatchLine[]) => Promise<void>, signal: AbortSignal): Promise<BatchSaid<undefined>>;
  cancel(id: string, signal: AbortSignal): Promise<BatchSaid<ServerBatch>>;
}

/** One server with one key. It sends one request once: no retry, no parsing, no log. */
export interface Teacher {
  /** `gpt-4 at https://...`: for messages, never with a key */
  readonly name: string;
  /** What the recipe calls it, for messages: `judge`, `judge.failover.0`. */
  readonly id?: string;
  /** its address, or in words: for messages */
  readonly where: string;
  /** Names address and key: what is the same here is one server with one account, whose slots all share. */
  readonly server: string;
  /** as the server knows it; providers count their limits by it */
  readonly model: string;
  /** calls in flight at most */
  readonly concurrency: number;
  /** How long the server may be away before calls to it end with that, where the recipe says it; milliseconds. */
  readonly awayMs: number | undefined;
  readonly limits: TeacherLimits;
  readonly price: Price | undefined;
  /** Tokens that it may bill for a call on top of the limit of the reply; `undefined`: not known. */
  readonly reasoningTokens: number | undefined;
  /** How long after a call was sent its answer may still turn up in the server's store; 0 where nothing is kept. */
  readonly settleMs: number;
  complete(request: ChatRequest, signal: AbortSignal): Promise<ChatAnswer>;
  /** A stored reply to this key; `undefined` when the server has none; a failure when it could not be asked, `final` when it keeps none. */
  recover(key: string, model: string, signal: AbortSignal): Promise<ChatAnswer | undefined>;
  /** There when calls are to be sent by the file. */
  readonly batch?: BatchApi;
}
