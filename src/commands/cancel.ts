import { GRACE_SECONDS, markCancelled } from '../engine/mark-cancelled.ts';
import { EXIT, ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import type { JobHandle } from '../model/job.ts';
import type { Target } from '../recipe/target.ts';
import { ownerLiveness } from '../runs/owner.ts';
import type { RunState } from '../runs/run-state.ts';
import { openTargetBackend } from './backend.ts';
import { type Context, type Options, openContext } from './context.ts';
import { findRun } from './find-run.ts';
import { hubOption } from './same-hub.ts';
import { noteRun } from './verdict.ts';

/** `zephyr cancel ID`: the job gets SIGTERM, saves, and ends; the run can be resumed later. */
export async function cancel([id]: string[], options: Options): Promise<number> {
  await using context = await openContext(options);
  const status = await cancelRun(context, id as string);
  return status === EXIT.cancelled ? EXIT.done : status;
}

/**
 * Writes down that the run is cancelled, then stops its job. A zephyr that works on it finds its branch moved and ends too.
 * Returns the status `cancelled`.
 */
export async function cancelRun(context: Context, id: string): Promise<number> {
  const before = await markCancelled(context.hub, () => new Date(), (await findRun(context.hub, id)).state);
  const name = formatRef({ ...before.repo, revision: before.run });
  noteRun(before);
  const { owner, job, driver } = before;
  // the driver first: it would find its job gone and tell why
  for (const handle of [driver?.handle, job?.handle]) if (handle != null) await endJob(context, before, handle);
  const follows = job?.handle != null || driver?.handle != null;
  if (!follows && owner !== null && owner.pid !== process.pid && ownerLiveness(owner) === 'alive') {
    // a zephyr that asks teachers reads its branch only after the last of them has answered
    process.kill(owner.pid, 'SIGTERM');
  }
  process.stderr.write(`cancelled ${name}\n  resume: zephyr resume ${name}${hubOption()}\n`);
  return EXIT.cancelled;
}

async function endJob(context: Context, { target, run, repo }: RunState, handle: JobHandle): Promise<void> {
  const { scheduler } = await openTargetBackend(context, target as Target);
  const ended = await scheduler.cancel(handle, GRACE_SECONDS);
  if (ended.state !== 'unknown') return;
  throw new ZephyrError(`Cannot cancel ${formatRef({ ...repo, revision: run })}: ${ended.why}`, {
    exit: 'temporary',
    hint: 'the job may still run; try again',
  });
}
