import { confirms, hasTerminal } from './confirm.ts';

export interface Signals {
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP (the terminal was closed). */
  readonly signal: AbortSignal;
  /** Resolves with a second SIGINT. */
  readonly interrupted: Promise<void>;
  readonly stop: () => void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The first Ctrl-C detaches from the run, which goes on; a second one is left to the command to ask about. */
export function watchSignals(): Signals {
  const controller = new AbortController();
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
  // the timer keeps the process alive: nothing else does any more
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, WINDOW_SECONDS * 1000);
  const again = await Promise.race([interrupted.then(() => true), late.promise.then(() => false)]);
  clearTimeout(timer);
  return again && (await confirms('Cancel the job too? Its last checkpoint is kept. [y/N] '));
}
