import { handleOf } from '../engine/driver.ts';
import { driverMark } from '../model/job.ts';
import type { Target } from '../recipe/target.ts';
import { type Driver, driverLabels, type RunState } from '../runs/run-state.ts';
import { openTargetBackend } from './backend.ts';
import type { Context } from './context.ts';

/** The variable by which a driver tells its zephyr which job it is. */
const DRIVER = 'ZEPHYR_DRIVER';

/** The driver of a run where this process is what it runs; undefined in a terminal. */
export async function thisDriver(context: Context, target: Target, state: RunState): Promise<Driver | undefined> {
  const { driver } = state;
  if (driver === null || context.env[DRIVER] !== driverMark(driverLabels(state, driver.epoch))) return undefined;
  const { scheduler } = await openTargetBackend(context, target);
  return { ...driver, handle: (await handleOf(scheduler, state, driver)) ?? null };
}
