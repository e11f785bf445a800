import { adoptRun, readRun, type StageRun } from '../engine/stage-run.ts';
import { EXIT, ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import type { Target } from '../recipe/target.ts';
import { openTargetBackend } from './backend.ts';
import { type Context, type Options, openContext } from './context.ts';
import { findRun } from './find-run.ts';

/** Seconds that a job has to save its state before it is killed. */
const GRACE_SECONDS = 300;

/** `zephyr cancel ID`: the job gets SIGTERM, saves, and ends; the run can be resumed later. */
export async function cancel([id]: string[], options: Options): Promise<number> {
  await using context = await openContext(options);
  const status = await cancelRun(context, id as string);
  return status === EXIT.cancelled ? EXIT.done : status;
}

/** Stops the job, whoever watches it, and writes down that the run was cancelled. Returns the status `cancelled`. */
export async function cancelRun(context: Context, id: string): Promise<number> {
  const { state } = await findRun(context.hub, id);
  const name = formatRef({ ...state.repo, revision: state.run });
  if (state.phase === 'done') throw new ZephyrError(`Cannot cancel ${name}: it is done`, { exit: 'usage' });
  const handle = state.job?.handle;
  if (handle != null) {
    const ended = await openTargetBackend(context, state.target as Target).cancel(handle, GRACE_SECONDS);
    if (ended.state === 'unknown')
      throw new ZephyrError(`Cannot cancel ${name}: ${ended.why}`, {
        exit: 'temporary',
        hint: 'the job may still run; try again',
      });
  }
  await settle(context, id);
  process.stderr.write(`cancelled ${name}\n  resume: zephyr resume ${name}\n`);
  return EXIT.cancelled;
}

/** The watcher of the job, if there is one, writes the end down itself; otherwise we do. */
async function settle(context: Context, id: string): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const { state } = await findRun(context.hub, id);
    const found = await readRun(context.hub, state.repo, state.run);
    if (found === undefined || found.state.phase === 'cancelled') return;
    try {
      const run: StageRun = await adoptRun(context.hub, () => new Date(), found, false);
      await run.advance(
        { ...run.state, phase: 'cancelled', owner: null, failure: { reason: 'cancelled', message: 'cancelled by the user' } },
        'cancelled',
      );
      return;
    } catch (error) {
      if (!(error instanceof ZephyrError) || error.exit !== 'conflict') throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}
