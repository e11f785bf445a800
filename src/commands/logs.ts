import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, ZephyrError } from '../errors.ts';
import { type Options, openContext } from './context.ts';
import { eventPrinter } from './event-lines.ts';
import { jobPrinter } from './log-copier.ts';
import { type RunLook, RunWatch } from './look-at-run.ts';
import { silentHub } from './run-end.ts';
import { runExit } from './runs-of.ts';

/** Milliseconds between two looks at the logs; the Hub is asked at every fourth. */
const POLL_MS = 500;
const POLLS_A_LOOK = 4;

type LogsOptions = Options & { readonly follow?: boolean; readonly events?: boolean };

/**
 * `zephyr logs ID [-f]`: what the jobs of a run printed, oldest first; with `-f` until the run ends, and how far its job is.
 * With `--events` what zephyr did and saw, from the run's log.
 */
export async function logs([id]: string[], options: LogsOptions): Promise<number> {
  const { json = false, events = false, follow = false } = options;
  if (json && !events)
    throw new ZephyrError('Cannot print as JSON what jobs have printed', {
      hint: `its events are: zephyr logs ${id} --events --json`,
    });
  await using context = await openContext(options);
  const watch = new RunWatch(context, id as string);
  let look: RunLook | undefined = await watch.look();
  const { run } = look.state;
  const show = events ? eventPrinter(options) : await jobPrinter(context, look, follow);
  for (let poll = 1; ; poll += 1) {
    if (!(await show(look)) && !follow) throw nothing(run, events, id as string);
    if (!follow || (look !== undefined && runExit(look.state, look) !== EXIT.running)) return EXIT.done;
    await sleep(POLL_MS, undefined, { signal: context.signal }).catch(() => undefined);
    if (context.signal.aborted) return EXIT.detached;
    look = poll % POLLS_A_LOOK === 0 ? await watch.look().catch((error: unknown) => silentHub(error, context.emit)) : undefined;
  }
}

function nothing(run: string, isOfEvents: boolean, id: string): ZephyrError {
  if (isOfEvents)
    return new ZephyrError(`Cannot show events of ${run}: its log is empty`, {
      exit: 'preflight',
      hint: `see how it stands: zephyr status ${id}`,
    });
  return new ZephyrError(`Cannot show logs of ${run}: no job of it ran on this machine`, {
    exit: 'preflight',
    hint: `what zephyr did is in: zephyr logs ${id} --events`,
  });
}
