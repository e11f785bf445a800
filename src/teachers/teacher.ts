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
  /** the body of the answer as the server sent it, parsed JSON */
  readonly raw: unknown;
}

/** `again` may be tried again (after `afterMs` where the server said so), `final` may not, `stop` ends the step: no money, no access. */
export interface ChatFailure {
  readonly kind: 'again' | 'final' | 'stop';
  readonly message: string;
  readonly status: number | undefined;
  readonly afterMs: number | undefined;
}

export type ChatAnswer = { readonly ok: true; readonly reply: ChatReply } | { readonly ok: false; readonly failure: ChatFailure };

/** One server with one key. It sends one request once: no retry, no parsing, no log. */
export interface Teacher {
  /** `gpt-4 at https://...`: for messages, never with a key */
  readonly name: string;
  complete(request: ChatRequest, signal: AbortSignal): Promise<ChatAnswer>;
  /** A stored reply to this key, where the server keeps replies; `undefined` when it has none or cannot tell. */
  recover(key: string, model: string, signal: AbortSignal): Promise<ChatReply | undefined>;
}
