/** One chat message, as every chat API has it. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly temperature: number;
  readonly top_p: number;
  /** tokens of the reply at most */
  readonly max_tokens: number;
  readonly seed?: number;
  /** JSON Schema that the reply must follow, with its name */
  readonly schema?: { readonly name: string; readonly schema: Readonly<Record<string, unknown>> };
  /** Sent along and stored by servers that can, so that an answer lost in a crash is found again. */
  readonly key: string;
}

/** What came back, before anybody read meaning into it. */
export interface ChatReply {
  readonly text: string;
  readonly finishReason: string;
  readonly refusal: string | undefined;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly requestId: string | undefined;
  /** The body of the answer as the server sent it, parsed JSON: a chat completion that `readReply` reads again. */
  readonly raw: unknown;
}

/** `again` may be tried again (after `afterMs` where the server said so), `final` may not, `stop` ends the step: no money, no access. */
export interface ChatFailure {
  readonly kind: 'again' | 'final' | 'stop';
  readonly message: string;
  /** HTTP status; 0 when no connection came about; `undefined` when it broke, so that nobody knows whether the call was billed */
  readonly status: number | undefined;
  readonly afterMs: number | undefined;
}

export type ChatAnswer = { readonly ok: true; readonly reply: ChatReply } | { readonly ok: false; readonly failure: ChatFailure };

/** United States dollars per million tokens. */
export interface Price {
  readonly input: number;
  readonly output: number;
}

/** One server with one key. It sends one request once: no retry, no parsing, no log. */
export interface Teacher {
  /** `gpt-4 at https://...`: for messages, never with a key */
  readonly name: string;
  /** calls in flight at most */
  readonly concurrency: number;
  readonly price: Price | undefined;
  /** For so long after a call was sent its answer may still turn up in the server's store; 0 where nothing is kept. */
  readonly settleMs: number;
  complete(request: ChatRequest, signal: AbortSignal): Promise<ChatAnswer>;
  /** A stored reply to this key; `undefined` when the server has none or keeps none; a failure when it could not be asked. */
  recover(key: string, model: string, signal: AbortSignal): Promise<ChatAnswer | undefined>;
}
