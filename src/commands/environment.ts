import type { Environments } from '../backends/environments.ts';
import type { Decision } from '../plan/explain.ts';
import type { Target } from '../recipe/target.ts';
import type { Context } from './context.ts';
import { openScheduler } from './environment-digests.ts';

/** The Python environments of the steps that will run; what is used again needs none. */
export function environmentsToRun(decisions: readonly Decision[]): string[] {
  const running = decisions.flatMap(({ action, step: { work } }) =>
    action === 'run' && work.kind === 'job' ? [work.environment] : [],
  );
  return [...new Set(running)];
}

/** Makes the Python environments that are not there yet, where zephyr makes them, and throws for what jobs would miss still. */
export async function readyEnvironments(context: Context, target: Target, names: readonly string[]): Promise<void> {
  const scheduler = await openScheduler(context, target);
  const { cache = context.cache, given = {} } = scheduler;
  for (const name of (await scheduler.unmade?.(names)) ?? []) await makeHere({ ...context, cache, given }, name);
  await scheduler.check(names);
}

/** Makes one that is not there yet and tells how far that is. */
export async function makeHere({ root, cache, given, env, signal, emit }: Context & Environments, name: string): Promise<void> {
  const { makeEnvironment } = await import('../backends/make-environment.ts');
  await makeEnvironment({
    ...{ root, cache, ...(given && { given }), env, signal, name },
    say: (message) => emit({ type: 'environment', environment: name, message }),
  });
}
