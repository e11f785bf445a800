import { handleOf } from '../engine/driver.ts';
import { ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { driverMark } from '../model/job.ts';
import type { Target } from '../recipe/target.ts';
import { type Driver, driverLabels, type RunState } from '../runs/run-state.ts';
import { openTargetBackend } from './backend.ts';
import type { Context } from './context.ts';

/** The variable by which a driver tells its zephyr which job it is. */
const DRIVER = 'ZEPHYR_DRIVER';

/**
 * The driver of a run where this process is what it runs; undefined in a terminal. Throws a `ZephyrError` (conflict) for a driver
 * that begins although the run was cancelled or taken up by another process since it was submitted.
 */
export async function thisDriver(context: Context, target: Target, state: RunState): Promise<Driver | undefined> {
  const { driver, phase } = state;
  const mark = context.env[DRIVER] ?? '';
  if (mark === '') return undefined;
  if (driver === null || phase === 'cancelled' || mark !== driverMark(driverLabels(state, driver.epoch)))
    throw new ZephyrError(
      `Cannot work on ${state.run}: the job ${mark} was submitted for it before it ${phase === 'cancelled' ? 'was cancelled' : 'went to another process'}`,
      {
        exit: 'conflict',
        hint: `zephyr resume ${formatRef({ ...state.repo, revision: state.run })} --detach submits another one`,
      },
    );
  const { scheduler } = await openTargetBackend(context, target);
  return { ...driver, handle: (await handleOf(scheduler, state, driver)) ?? null };
}
