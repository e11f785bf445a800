import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, ZephyrError } from '../errors.ts';
import { type Options, openContext } from './context.ts';
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
 * artifact's ID as the stage itself would have printed it. Ctrl-C ends the waiting and nothing else.
 */
export async function wait([id]: string[], options: WaitOptions): Promise<number> {
  const seconds = options.timeout === undefined ? Number.POSITIVE_INFINITY : Number(options.timeout);
  if (!(seconds >= 0)) throw new ZephyrError(`Cannot wait for "${options.timeout}" seconds: expected a number from 0`);
  await using context = await openContext(options);
  const watch = new RunWatch(context, id as string);
  const show = lookShower(context);
  const until = performance.now() + seconds * 1000;
  for (;;) {
    const look = await watch.look().catch((error: unknown) => silentHub(error, context.emit));
    if (look !== undefined) {
      const { state, job } = look;
      noteRun(state);
      show(look);
      const exit = runExit(state, job);
      if (exit !== EXIT.running) return runEnded(state, exit, options);
    }
    if (context.signal.aborted) return EXIT.detached;
    if (performance.now() >= until) return EXIT.running;
    await sleep(LOOK_SECONDS * 1000, undefined, { signal: context.signal }).catch(() => undefined);
  }
}
