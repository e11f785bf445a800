import type { PendingCall } from './batch.ts';
import type { TokenQueue } from './batch-queue.ts';

/** Where calls gather until they are worth a file, or nothing more comes. */
export interface BatchBuffer {
  add(waiting: PendingCall): void;
  /** Sends what may go now; the rest when it is time, or when the queue calls this again. */
  pump(): void;
  readonly isEmpty: boolean;
  /** Takes out those that leave. */
  take(leaves: (waiting: PendingCall) => boolean): readonly PendingCall[];
}

export interface BatchBufferOptions {
  /** of one file at most */
  readonly requests: number;
  readonly bytes: number;
  readonly queue: TokenQueue;
  /** input tokens of a call */
  readonly tokensOf: (waiting: PendingCall) => number;
  readonly send: (calls: readonly PendingCall[], tokens: number) => void;
  /** Nothing new for so long: no more is coming before these are answered. */
  readonly quietMs: number;
}

/** Bytes around a body in the request file, at most. */
const LINE_BYTES = 160;

/** Batches at the server at once: each is a file on the way there, and is asked after time and again. */
const MOST_UNDERWAY = 32;

/** Nobody waits longer for others to come, however steadily they do. */
const LONGEST_MS = 60_000;

export function openBuffer({ requests, bytes, queue, tokensOf, send, quietMs }: BatchBufferOptions): BatchBuffer {
  let calls: PendingCall[] = [];
  let size = 0;
  let firstAt = 0;
  let lastAt = 0;
  let timer: NodeJS.Timeout | undefined;

  const bytesOf = ({ span }: PendingCall) => span.length + LINE_BYTES;

  const isFull = () => calls.length >= requests || size >= bytes;

  /** Milliseconds until the calls at hand are to go. */
  function waitMs(now: number): number {
    const dueAt = isFull() ? now : Math.min(lastAt + quietMs, firstAt + LONGEST_MS);
    return Math.max(dueAt, queue.restsUntil) - now;
  }

  /** How many of the calls make the next file: as many as fit, or none while there is too little room for them. */
  function portion(): { readonly count: number; readonly tokens: number; readonly bytes: number } {
    const { batches: others, room } = queue;
    if (others >= MOST_UNDERWAY) return { count: 0, tokens: 0, bytes: 0 };
    let taken = 0;
    const sum = { tokens: 0, bytes: 0 };
    for (const call of calls) {
      const tokens = tokensOf(call);
      const isTooMuch = taken === requests || sum.bytes + bytesOf(call) > bytes;
      const isCrowded = sum.tokens + tokens > room;
      // One call alone must be tried, however large it is.
      if (taken > 0 ? isTooMuch || isCrowded : isCrowded && others > 0) {
        if (isCrowded && others > 0 && sum.tokens < queue.worthwhile) return { count: 0, tokens: 0, bytes: 0 };
        break;
      }
      taken += 1;
      sum.tokens += tokens;
      sum.bytes += bytesOf(call);
    }
    return { count: taken, ...sum };
  }

  function pump(): void {
    clearTimeout(timer);
    while (calls.length > 0) {
      const wait = waitMs(performance.now());
      if (wait > 0) {
        timer = setTimeout(pump, Math.ceil(wait));
        return;
      }
      const next = portion();
      if (next.count === 0) return;
      size -= next.bytes;
      send(calls.splice(0, next.count), next.tokens);
    }
  }

  queue.join(pump);

  return {
    pump,
    add(waiting) {
      lastAt = performance.now();
      if (calls.length === 0) firstAt = lastAt;
      const wasFull = isFull();
      calls.push(waiting);
      size += bytesOf(waiting);
      // Full before, it waits for room, of which the queue tells.
      if (calls.length === 1 || (!wasFull && isFull())) pump();
    },
    get isEmpty() {
      return calls.length === 0;
    },
    take(leaves) {
      const gone = calls.filter(leaves);
      calls = calls.filter((waiting) => !leaves(waiting));
      size = calls.reduce((sum, waiting) => sum + bytesOf(waiting), 0);
      if (calls.length === 0) clearTimeout(timer);
      return gone;
    },
  };
}
