import { confirms, hasTerminal } from './confirm.ts';

export interface Signals {
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP (the terminal was closed), and at the deadline, where there is one. */
  readonly signal: AbortSignal;
  /** Resolves with a second SIGINT. */
  readonly interrupted: Promise<void>;
  readonly stop: () => void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Why the signal of a command is aborted that has used up the time its user gave it. */
export class DeadlineError extends Error {}

/** Milliseconds that a timer of Node holds at most, about 25 days; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * The first Ctrl-C detaches from the run, which goes on; a second one is left to the command to ask about. After `deadlineMs`
 * milliseconds the signal is aborted with a `DeadlineError`: the Hub then answers what it can answer at the first try.
 */
export function watchSignals(deadlineMs = Number.POSITIVE_INFINITY): Signals {
  const controller = new AbortController();
  const late = (): void => controller.abort(new DeadlineError('The time for the command is over'));
  const timer = deadlineMs <= LONGEST_TIMER_MS ? setTimeout(late, deadlineMs).unref() : undefined;
  const second = Promise.withResolvers<void>();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted && signal === 'SIGINT') second.resolve();
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    interrupted: second.promise,
    stop: () => {
      clearTimeout(timer);
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}

/** Seconds in which a second Ctrl-C is taken for the wish to cancel. */
const WINDOW_SECONDS = 3;

/** Whether the user, having detached, presses Ctrl-C once more and confirms. Without a terminal no question is asked. */
export async function wantsToCancel(interrupted: Promise<void>): Promise<boolean> {
  if (!hasTerminal()) return false;
  process.stderr.write(`  or press Ctrl-C again within ${WINDOW_SECONDS} s to cancel now\n`);
  // only this timer keeps the process alive by now
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, WINDOW_SECONDS * 1000);
  const again = await Promise.race([interrupted.then(() => true), late.promise.then(() => false)]);
  clearTimeout(timer);
  return again && (await confirms('Cancel the job too? Its last checkpoint is kept. [y/N] '));
}
