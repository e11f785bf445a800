import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, ZephyrError } from '../errors.ts';
import { type Options, openContext } from './context.ts';
import { logCopier } from './log-copier.ts';
import { RunWatch } from './look-at-run.ts';
import { silentHub } from './run-end.ts';
import { runExit } from './run-exit.ts';

/** Milliseconds between two looks at the logs; the Hub is asked at every fourth. */
const POLL_MS = 500;
const POLLS_A_LOOK = 4;

/** `zephyr logs ID [-f]`: what the jobs of a run printed, oldest first; with `-f` until the run ends, and how far its job is. */
export async function logs([id]: string[], options: Options & { readonly follow?: boolean }): Promise<number> {
  await using context = await openContext(options);
  const watch = new RunWatch(context, id as string);
  const { state } = await watch.look();
  const folder = join(context.home, 'jobs', state.run);
  const copy = logCopier(context, folder);
  if (!(await copy()) && options.follow !== true)
    throw new ZephyrError(`Cannot show logs of ${state.run}: no job of it ran on this machine`, {
      exit: 'preflight',
      hint: `looked in "${folder}"`,
    });
  for (let poll = 0; options.follow === true && !context.signal.aborted; poll += 1) {
    if (poll % POLLS_A_LOOK === 0) {
      const look = await watch.look().catch((error: unknown) => silentHub(error, context.emit));
      const step = look?.state.job?.step;
      if (look !== undefined && step !== undefined)
        for (const event of look.events) context.emit({ type: 'job', stage: look.state.stage, step, event });
      await copy();
      if (look !== undefined && runExit(look.state, look.job) !== EXIT.running) break;
    } else await copy();
    await sleep(POLL_MS, undefined, { signal: context.signal }).catch(() => undefined);
  }
  return context.signal.aborted ? EXIT.detached : EXIT.done;
}
