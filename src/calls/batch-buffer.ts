import type { PendingCall } from './batch.ts';
import type { TokenQueue } from './batch-queue.ts';

export interface BatchBufferOptions {
  /** most requests and bytes of one file */
  readonly requests: number;
  readonly bytes: number;
  readonly queue: TokenQueue;
  /** input tokens of a call */
  readonly tokensOf: (call: PendingCall) => number;
  readonly send: (calls: readonly PendingCall[], tokens: number) => void;
  /** When nothing new has come for this time, no more is coming before the calls at hand are answered. */
  readonly quietMs: number;
}

/** Most bytes around a body in the request file. */
const LINE_BYTES = 160;

/** Most batches at the server at once: each is a file on the way there, and is asked after time and again. */
const MOST_UNDERWAY = 32;

/** Longest that a call waits for others to come, however steadily they do. */
const LONGEST_MS = 60_000;

const bytesOf = ({ span }: PendingCall) => span.length + LINE_BYTES;

/** Gathers calls until they fill a batch file, or until no more come. */
export class BatchBuffer {
  readonly #options: BatchBufferOptions;
  #calls: PendingCall[] = [];
  #bytes = 0;
  #firstAt = 0;
  #lastAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BatchBufferOptions) {
    this.#options = options;
    options.queue.join(this.pump);
  }

  get isEmpty(): boolean {
    return this.#calls.length === 0;
  }

  add(call: PendingCall): void {
    this.#lastAt = performance.now();
    if (this.isEmpty) this.#firstAt = this.#lastAt;
    const wasFull = this.#isFull;
    this.#calls.push(call);
    this.#bytes += bytesOf(call);
    // A buffer that was full before waits for room, and the queue tells of that.
    if (this.#calls.length === 1 || (!wasFull && this.#isFull)) this.pump();
  }

  /** Takes out the calls that leave. */
  take(leaves: (call: PendingCall) => boolean): readonly PendingCall[] {
    const gone = this.#calls.filter(leaves);
    this.#calls = this.#calls.filter((call) => !leaves(call));
    this.#bytes = this.#calls.reduce((sum, call) => sum + bytesOf(call), 0);
    if (this.isEmpty) clearTimeout(this.#timer);
    return gone;
  }

  /** Sends what may go now; the rest when it is time, or when the queue calls this again. */
  readonly pump = (): void => {
    clearTimeout(this.#timer);
    while (!this.isEmpty) {
      const wait = this.#waitMs(performance.now());
      if (wait > 0) {
        this.#timer = setTimeout(this.pump, Math.ceil(wait));
        return;
      }
      const next = this.#nextFile();
      if (next.count === 0) return;
      this.#bytes -= next.bytes;
      this.#options.send(this.#calls.splice(0, next.count), next.tokens);
    }
  };

  get #isFull(): boolean {
    return this.#calls.length >= this.#options.requests || this.#bytes >= this.#options.bytes;
  }

  /** Milliseconds until the calls at hand are to go. */
  #waitMs(now: number): number {
    const { quietMs, queue } = this.#options;
    const dueAt = this.#isFull ? now : Math.min(this.#lastAt + quietMs, this.#firstAt + LONGEST_MS);
    return Math.max(dueAt, queue.restsUntil) - now;
  }

  /** How many of the calls make the next file: as many as fit, or none while there is too little room for them. */
  #nextFile(): { readonly count: number; readonly tokens: number; readonly bytes: number } {
    const { requests, bytes, queue, tokensOf } = this.#options;
    const { batches: others, room } = queue;
    const none = { count: 0, tokens: 0, bytes: 0 };
    if (others >= MOST_UNDERWAY) return none;
    const file = { ...none };
    for (const call of this.#calls) {
      const tokens = tokensOf(call);
      const isCrowded = file.tokens + tokens > room;
      const isTooMuch = file.count === requests || file.bytes + bytesOf(call) > bytes;
      // A call that is alone must be tried, however large it is.
      const fits = file.count === 0 ? !isCrowded || others === 0 : !isCrowded && !isTooMuch;
      if (!fits) return isCrowded && others > 0 && file.tokens < queue.worthwhile ? none : file;
      file.count += 1;
      file.tokens += tokens;
      file.bytes += bytesOf(call);
    }
    return file;
  }
}
