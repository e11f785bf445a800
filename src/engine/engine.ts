import type { Backend } from '../backends/backend.ts';
import type { Servers } from '../calls/servers.ts';
import type { Hub } from '../hub/hub.ts';
import type { Emit } from '../model/event.ts';
import type { Target } from '../recipe/target.ts';
import type { RunLog } from '../render/run-log.ts';
import type { Driver } from '../runs/run-state.ts';
import type { Task } from '../stages/stage.ts';
import type { Teacher } from '../teachers/teacher.ts';

/** Everything outside that a run needs, built by commands/context.ts and nowhere else. */
export interface Engine {
  readonly hub: Hub;
  readonly backend: Backend;
  readonly target: Target;
  readonly teacher: (id: string) => Promise<readonly Teacher[]>;
  readonly servers: Servers;
  readonly tasks: Readonly<Record<string, Task>>;
  /** Job folders and staged inputs; on the Hub's disk where there is a choice, so that nothing is copied. */
  readonly workFolder: string;
  /** scripts/train of this zephyr */
  readonly codeFolder: string;
  readonly emit: Emit;
  /** Hears what `emit` hears. */
  readonly log: RunLog;
  /** Aborted when the user turns away: jobs go on, calls in flight are finished and recorded. */
  readonly signal: AbortSignal;
  readonly now: () => Date;
  readonly version: string;
  /** The user says that the owner of the run, on a machine out of sight, is gone. */
  readonly takeOver: boolean;
  /** The job that this process is, where it works in place of a terminal; see `Scheduler.drive`. */
  readonly driver?: Driver;
  /** Begin again instead of going on with an unfinished run of the same key. */
  readonly newRun: boolean;
}
