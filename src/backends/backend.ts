import type { Scheduler } from './scheduler.ts';
import type { Workspace } from './workspace.ts';

/** Where jobs run: what starts them, and where they read and write. */
export interface Backend {
  readonly scheduler: Scheduler;
  readonly workspace: Workspace;
}
