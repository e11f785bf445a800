import type { Scheduler } from '../backends/scheduler.ts';
import { ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { isAlive, type JobHandle, type JobState } from '../model/job.ts';
import { type Driver, driverLabels, type RunState } from '../runs/run-state.ts';
import type { Engine } from './engine.ts';

type DrivenRun = Pick<RunState, 'run' | 'stage' | 'repo' | 'phase' | 'driver'>;

/** How the driver of a run is; undefined where it has none, or is over and what came of it stands in the state. */
export async function driverState(scheduler: Scheduler, run: DrivenRun): Promise<{ state: JobState; id?: string } | undefined> {
  const { driver, phase } = run;
  if (driver === null || (phase !== 'running' && phase !== 'detached')) return undefined;
  if (scheduler.reaches(driver) !== true)
    return { state: { state: 'unknown', why: `a job on ${driver.host} works on it, out of sight from here` } };
  const handle = await handleOf(scheduler, run, driver);
  return handle === undefined ? { state: { state: 'absent' } } : { state: await scheduler.state(handle), id: handle.id };
}

/** The job of a driver, although the process that submitted it died before it wrote that down. */
export async function handleOf(scheduler: Scheduler, run: DrivenRun, driver: Driver): Promise<JobHandle | undefined> {
  return driver.handle ?? (await scheduler.find(driverLabels(run, driver.epoch)));
}

function isSameJob({ handle, host }: Driver, { run, driver }: DrivenRun): boolean {
  if (handle === null || driver === null || host !== driver.host) return false;
  if (driver.handle !== null) return handle.id === driver.handle.id;
  return handle.labels.run === run && handle.labels.epoch === driver.epoch;
}

/**
 * Whether the owner of a run is gone because it was the driver: that job is over, or this process is the job, started again.
 * Throws a `ZephyrError` (conflict) where the driver waits or works, or cannot be seen.
 */
export async function driverIsGone({ backend, driver: own, takeOver }: Engine, run: DrivenRun): Promise<boolean> {
  const isOwn = own !== undefined && isSameJob(own, run);
  if (takeOver || run.driver === null || isOwn) return isOwn;
  const found = await driverState(backend.scheduler, run);
  if (found === undefined) return false;
  const { state, id } = found;
  if (!isAlive(state) && state.state !== 'unknown') return true;
  const ref = formatRef({ ...run.repo, revision: run.run });
  const why = state.state === 'unknown' ? state.why : `job ${id} on ${run.driver.host} works on it (${state.state})`;
  throw new ZephyrError(`Cannot work on ${ref}: ${why}`, {
    exit: 'conflict',
    hint: `watch it with: zephyr status ${ref}; stop it with: zephyr cancel ${ref}`,
  });
}
