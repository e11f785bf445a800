import { join } from 'node:path';
import type { Backend } from '../backends/backend.ts';
import { openBackend } from '../backends/registry.ts';
import { hostId } from '../base/host-id.ts';
import type { Target } from '../recipe/target.ts';
import type { Context } from './context.ts';

/** The backend that a target, or the state of a run, names. */
export function openTargetBackend({ root, cache, home, hub }: Context, target: Target): Promise<Backend> {
  return openBackend(target, { host: hostId(), root, cache, jobs: join(home, 'jobs'), hub });
}
