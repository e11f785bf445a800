import { join } from 'node:path';
import type { Backend } from '../backends/backend.ts';
import { openBackend } from '../backends/registry.ts';
import { hostId } from '../base/host-id.ts';
import type { Hub } from '../hub/hub.ts';
import type { Target } from '../recipe/target.ts';

/** Where this installation keeps what a backend needs. */
interface Installation {
  readonly root: string;
  readonly cache: string;
  readonly home: string;
  readonly hub: Hub;
}

/** The backend that a target, or the state of a run, names. */
export function openTargetBackend({ root, cache, home, hub }: Installation, target: Target): Promise<Backend> {
  return openBackend(target, { host: hostId(), root, cache, jobs: join(home, 'jobs'), hub });
}
