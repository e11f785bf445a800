import { ZephyrError } from '../errors.ts';
import type { TransferProgress } from '../model/event.ts';

/** How a caller watches a transfer and stops it. */
export interface TransferOptions {
  /**
   * Ends the transfer at once with a `detached` error, or with the signal's reason where that is a `ZephyrError`. What has
   * come or gone is kept, and the next call for the same goes on from there.
   */
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((progress: TransferProgress) => void) | undefined;
}

/** Requests for files that one transfer has under way: each holds the pieces that pass, never a file or a part of one. */
export const AT_ONCE = 8;

/** Counts the bytes of one transfer. */
export class Meter {
  readonly #total: number;
  readonly #tell: TransferOptions['progress'];
  #done: number;

  constructor(total: number, done: number, tell: TransferOptions['progress']) {
    [this.#total, this.#done, this.#tell] = [total, done, tell];
  }

  /** `bytes` are negative where what was there has to move once more. */
  moved(file: string, bytes: number): void {
    this.#done += bytes;
    this.#tell?.({ file, done: Math.max(0, Math.min(this.#total, this.#done)), total: this.#total });
  }
}

/**
 * Runs jobs, `AT_ONCE` at a time and in their order. The first that fails stops the others, and its error is thrown when
 * the last of them has ended: nothing is written any more after that.
 */
export async function runBounded(jobs: readonly ((signal: AbortSignal) => Promise<void>)[], signal?: AbortSignal): Promise<void> {
  const failed = new AbortController();
  const stop = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  // most verbs move no file
  const { default: PQueue } = await import('p-queue');
  const queue = new PQueue({ concurrency: AT_ONCE });
  const run = async (job: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    try {
      stop.throwIfAborted();
      await job(stop);
    } catch (error) {
      failed.abort(error);
    }
  };
  for (const job of jobs) void queue.add(() => run(job));
  await queue.onIdle();
  failed.signal.throwIfAborted();
}

/** What a request or a transfer ends with that its caller has stopped without a reason of his own. */
export function detachedFrom(hub: string): ZephyrError {
  return new ZephyrError(`Detached from the Hub at ${hub}`, { exit: 'detached' });
}

/** `detachedFrom` for the bare reason of an aborted signal; every other error is what it is. */
export function explainStop(hub: string, error: unknown): unknown {
  return error instanceof Error && error.name === 'AbortError' ? detachedFrom(hub) : error;
}
