import { environmentDigest } from '../backends/environments.ts';
import { BACKENDS, type BackendModule } from '../backends/registry.ts';
import type { Scheduler } from '../backends/scheduler.ts';
import { ZephyrError } from '../errors.ts';
import type { EnvironmentDigests } from '../plan/fingerprint.ts';
import type { Target } from '../recipe/target.ts';
import type { Context } from './context.ts';

/** What tells the digest of a Python environment by its name. */
interface EnvironmentSource {
  environment(name: string): Promise<string>;
}

/**
 * What a plan pins: the packages of an environment without a backend, or the image as its engine names it. An image that cannot
 * be asked is planned as one that was built from the pins; `fault` then says what is wrong with it.
 */
export class PlannedEnvironments implements EnvironmentSource {
  readonly #context: Context;
  readonly #target: Target;
  fault: ZephyrError | undefined;

  constructor(context: Context, target: Target) {
    this.#context = context;
    this.#target = target;
  }

  async environment(name: string): Promise<string> {
    const modules: Readonly<Record<string, BackendModule>> = BACKENDS;
    const pinned = async () => await environmentDigest(this.#context, name);
    if (modules[this.#target.backend]?.pinned === true) return await pinned();
    try {
      return await (await openScheduler(this.#context, this.#target)).environment(name);
    } catch (error) {
      if (!(error instanceof ZephyrError)) throw error;
      this.fault ??= error;
      return await pinned();
    }
  }
}

export async function openScheduler(context: Context, target: Target): Promise<Scheduler> {
  const { openTargetBackend } = await import('./backend.ts');
  return (await openTargetBackend(context, target)).scheduler;
}

/** What the jobs' Pythons hold, by the names of their environments. */
export async function environmentDigests(names: readonly string[], source: EnvironmentSource): Promise<EnvironmentDigests> {
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await source.environment(name)] as const)));
}
