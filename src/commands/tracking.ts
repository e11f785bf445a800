import { join } from 'node:path';
import { type TrackedWork, trackerOf } from '../engine/tracker.ts';
import { ZephyrError } from '../errors.ts';
import type { Target } from '../recipe/target.ts';
import type { Context } from './context.ts';
import { knownSecrets } from './secrets.ts';

/** Keys of the packages, of which nothing may be shown should one of them name its own. */
const KEYS = ['WANDB_API_KEY', 'MLFLOW_TRACKING_PASSWORD', 'MLFLOW_TRACKING_TOKEN', 'TRACKIO_WRITE_TOKEN'];

/** Has the trackers of a target hear what a run measures. Whatever goes wrong with them is a warning. */
export async function trackRun(
  context: Context,
  target: Partial<Pick<Target, 'trackers'>>,
  measured: TrackedWork,
): Promise<void> {
  // a run that began before there were trackers has none in its target
  const { trackers = [] } = target;
  if (trackers.length === 0) return;
  const folder = join(context.home, 'trackers');
  try {
    const { root, cache, env, signal } = context;
    const { makeEnvironment } = await import('../backends/make-environment.ts');
    const { Tracking, TRACKERS } = await import('../backends/tracking.ts');
    const say = (message: string) => context.emit({ type: 'environment', environment: TRACKERS, message });
    await makeEnvironment({ root, cache, env, signal, name: TRACKERS, say });
    for (const name of KEYS) if (env[name] !== undefined) knownSecrets.add(env[name]);
    const tracking = await Tracking.start({
      ...{ root, cache, env, trackers, folder },
      failed: (tracker, why) => warn(context, `${tracker} gets no more metrics of this run: ${why}`),
    });
    context.listeners.push(trackerOf(measured, (line) => tracking.write(line)));
    context.onClose(() => tracking.close());
  } catch (error) {
    if (!(error instanceof ZephyrError) || error.exit === 'detached') throw error;
    warn(context, `metrics are handed on to no tracker: ${error.message}`);
  }
}

const warn = ({ emit }: Context, message: string) => emit({ type: 'warning', message });
