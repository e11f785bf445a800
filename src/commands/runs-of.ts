import type { ListedRun } from '../engine/run-list.ts';
import { EXIT } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { isAlive, type JobState } from '../model/job.ts';
import { ownerLiveness } from '../runs/owner.ts';

/** What the backend says of the run's job, and of the one that works on the run in place of a terminal, where it was asked. */
export interface AskedJobs {
  readonly job?: JobState | undefined;
  readonly driver?: JobState | undefined;
}

/** `stopped`: the state says running, and the process that said so is gone without a job that goes on. */
export function phaseOf(state: ListedRun, { job, driver }: AskedJobs = {}): string {
  if (state.phase !== 'running' || state.owner === null) return state.phase;
  if (ownerLiveness(state.owner) !== 'dead' && !isOver(driver)) return state.phase;
  if (driver !== undefined && isAlive(driver)) return state.phase;
  return state.job === null || isOver(job) ? 'stopped' : state.phase;
}

const isOver = (job: JobState | undefined): boolean => job?.state === 'exited' || job?.state === 'absent';

export function summary(state: ListedRun, jobs: AskedJobs = {}): Record<string, unknown> {
  const { run, stage, repo, phase, steps, epoch, failure, checkpoints, updatedAt } = state;
  return {
    id: formatRef({ ...repo, revision: run }),
    stage,
    phase,
    shown: phaseOf(state, jobs),
    steps,
    epoch,
    failure,
    checkpoints,
    updatedAt,
  };
}

/** The exit status that says where a run stands. */
export function runExit(state: ListedRun, jobs: AskedJobs): number {
  const phase = phaseOf(state, jobs);
  if (phase === 'done') return EXIT.done;
  if (phase === 'failed') return EXIT.jobFailed;
  if (phase === 'cancelled') return EXIT.cancelled;
  const mayGoOn = [jobs.job, jobs.driver].some((one) => one !== undefined && (isAlive(one) || one.state === 'unknown'));
  const goesOn = phase === 'running' || mayGoOn;
  return goesOn ? EXIT.running : EXIT.temporary;
}

/** What a run has made when it is done, else the run itself. */
export function idsOf(state: ListedRun): string[] {
  const made = state.phase === 'done' ? Object.values(state.steps).at(-1)?.artifact : undefined;
  return [made == null ? formatRef({ ...state.repo, revision: state.run }) : formatRef(made.ref)];
}
