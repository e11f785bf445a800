import type { CallLog } from './call-log.ts';

/** Takes the finished segments of a log elsewhere, now and then. */
export interface Flusher {
  /** There is something new in the log. */
  touch(): void;
  /** Takes along what is there now, and waits for it. */
  takeAlong(): Promise<void>;
  /** Takes along what is there, and waits for it. */
  close(): Promise<void>;
}

export interface FlusherOptions {
  readonly log: Pick<CallLog, 'roll'>;
  readonly flush: (() => Promise<void>) | undefined;
  readonly everyMs: number;
  readonly note: (message: string) => void;
}

/** Never fails the session: what is not flushed now is flushed later, and the log is on this disk. */
export function makeFlusher({ log, flush, everyMs, note }: FlusherOptions): Flusher {
  let touched = false;
  let flushing: Promise<void> = Promise.resolve();
  const timer = flush && setInterval(go, everyMs).unref();

  function go(): void {
    if (!touched || flush === undefined) return;
    touched = false;
    flushing = flushing
      .then(() => log.roll())
      .then(flush)
      .catch((error: unknown) => {
        touched = true;
        note(`The call log could not be copied to the Hub yet: ${error instanceof Error ? error.message : String(error)}`);
      });
  }

  return {
    touch() {
      touched = true;
    },
    takeAlong() {
      go();
      return flushing;
    },
    async close() {
      clearInterval(timer);
      go();
      await flushing;
    },
  };
}
