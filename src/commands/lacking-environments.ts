import { canHave } from '../backends/registry.ts';
import { ZephyrError } from '../errors.ts';
import type { Target } from '../recipe/target.ts';
import type { Context } from './context.ts';
import { makeHere } from './environment.ts';
import { openScheduler } from './environment-digests.ts';

/**
 * Makes what there is not yet of Python environments that a command can do without. Those that cannot be had, with the reason
 * in a few words; that one which they extend cannot be made is an error.
 */
export async function lackingEnvironments(
  context: Context,
  target: Target,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const lacking = new Map<string, string>();
  for (const name of new Set(names)) {
    if (!canHave(target, name)) lacking.set(name, 'no image in the target');
    else if (!(await isMadeNow(context, target, name))) lacking.set(name, 'not here');
  }
  return lacking;
}

async function isMadeNow(context: Context, target: Target, name: string): Promise<boolean> {
  const scheduler = await openScheduler(context, target);
  const { cache = context.cache, given = {} } = scheduler;
  for (const each of (await scheduler.unmade?.([name])) ?? []) {
    try {
      await makeHere({ ...context, cache, given }, each);
    } catch (error) {
      if (each !== name || !(error instanceof ZephyrError) || error.exit === 'detached') throw error;
      context.emit({ type: 'environment', environment: name, message: error.message.replace(/^.*?: /, 'cannot be made: ') });
      return false;
    }
  }
  return true;
}
