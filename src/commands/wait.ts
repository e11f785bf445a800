import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, ZephyrError } from '../errors.ts';
import { type Options, openContext } from './context.ts';
import { DeadlineError, watchSignals } from './interrupt.ts';
import { RunWatch } from './look-at-run.ts';
import { runEnded, silentHub } from './run-end.ts';
import { lookShower } from './run-history.ts';
import { runExit } from './runs-of.ts';
import { noteRun } from './verdict.ts';

/** Seconds between two looks at the Hub and at the job. */
const LOOK_SECONDS = 2;

type WaitOptions = Options & { readonly timeout?: string };

/**
 * `zephyr wait ID`: until the run ends, in this process or in another; then the exit status of `zephyr status`, and on stdout the
 * artifact's ID as the stage itself would have printed it. Ctrl-C ends the waiting and nothing else. After `--timeout` the Hub
 * is not waited for either: a look that is under way still ends where the Hub answers within a few seconds.
 */
export async function wait([id]: string[], options: WaitOptions): Promise<number> {
  const seconds = options.timeout === undefined ? Number.POSITIVE_INFINITY : Number(options.timeout);
  if (!(seconds >= 0)) throw new ZephyrError(`Cannot wait for "${options.timeout}" seconds: expected a number from 0`);
  await using context = await openContext(options, () => watchSignals(seconds * 1000));
  const { signal, emit } = context;
  const watch = new RunWatch(context, id as string);
  const show = lookShower(context);
  for (;;) {
    const look = await watch.look().catch((error: unknown) => silentHub(error, emit, signal));
    if (look !== undefined) {
      const { state } = look;
      noteRun(state);
      show(look);
      const exit = runExit(state, look);
      if (exit !== EXIT.running) return runEnded(state, exit, options);
    }
    if (signal.aborted) return signal.reason instanceof DeadlineError ? EXIT.running : EXIT.detached;
    await sleep(LOOK_SECONDS * 1000, undefined, { signal }).catch(() => undefined);
  }
}
