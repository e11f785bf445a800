export interface Signals {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Resolves with a second SIGINT. */
  readonly interrupted: Promise<void>;
  readonly stop: () => void;
}

/** The first Ctrl-C turns away from the run, which goes on; a second one is left to the command to ask about. */
export function watchSignals(): Signals {
  const controller = new AbortController();
  const second = Promise.withResolvers<void>();
  const onSignal = (): void => {
    if (controller.signal.aborted) second.resolve();
    controller.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    interrupted: second.promise,
    stop: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}

/** Seconds in which a second Ctrl-C is taken for the wish to cancel. */
const WINDOW_SECONDS = 3;

/** Whether the user, having turned away, presses Ctrl-C once more and confirms. Without a terminal nobody is asked. */
export async function wantsToCancel(interrupted: Promise<void>): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const again = await Promise.race([
    interrupted.then(() => true),
    new Promise<boolean>((resolve) => setTimeout(resolve, WINDOW_SECONDS * 1000, false).unref()),
  ]);
  if (!again) return false;
  const { createInterface } = await import('node:readline/promises');
  const line = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test(await line.question('Cancel the job too? Its last checkpoint is kept. [y/N] '));
  } finally {
    line.close();
  }
}
