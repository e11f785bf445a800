/** How many input tokens may wait at a server in all batches together. */
export interface TokenQueue {
  /** tokens that fit in beside `waiting` tokens */
  room(waiting: number): number;
  /** tokens that would fit in if nothing else waited */
  readonly most: number;
  /** Less than this is not worth a batch of its own while another one is on its way. */
  readonly worthwhile: number;
  /** The server has refused to let `tokens` in beside `waiting` others, and said why. */
  refused(tokens: number, waiting: number, message: string): void;
  /** A batch was let in. */
  admitted(): void;
}

/** OpenAI: `Enqueued token limit reached for gpt-4o in organization X. Limit: 90,000 enqueued tokens.` */
const SAID = /Limit: ([\d,]+)/;

/**
 * `limit`: what the recipe says. A refusal halves what is let in: the server counts otherwise than the estimate, or others
 * wait there too. What is let in then grows again, up to what the server or the recipe says.
 */
export function tokenQueue(limit = Number.POSITIVE_INFINITY): TokenQueue {
  let most = limit;
  let now = limit;
  return {
    get most() {
      return most;
    },
    room: (waiting) => now - waiting,
    get worthwhile() {
      return now / 4;
    },
    refused(tokens, waiting, message) {
      const said = Number(SAID.exec(message)?.[1]?.replaceAll(',', ''));
      if (said > 0) most = Math.min(most, said);
      now = Math.max(1, Math.min(most, (tokens + waiting) / 2));
    },
    admitted() {
      now = Math.min(most, now * 2);
    },
  };
}
