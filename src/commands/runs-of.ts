import type { ListedRun } from '../engine/run-list.ts';
import { EXIT } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { isAlive, type JobState } from '../model/job.ts';
import { ownerLiveness } from '../runs/owner.ts';

/**
 * `stopped`: the state says running, and the process that said so is gone without a job that goes on. `job`: what the
 * backend says of the run's job, where it was asked.
 */
export function phaseOf(state: ListedRun, job?: JobState): string {
  if (state.phase !== 'running' || state.owner === null || ownerLiveness(state.owner) !== 'dead') return state.phase;
  return state.job === null || job?.state === 'exited' || job?.state === 'absent' ? 'stopped' : state.phase;
}

export function summary(state: ListedRun, job?: JobState): Record<string, unknown> {
  const { run, stage, repo, phase, steps, epoch, failure, checkpoints, updatedAt } = state;
  return {
    id: formatRef({ ...repo, revision: run }),
    stage,
    phase,
    shown: phaseOf(state, job),
    steps,
    epoch,
    failure,
    checkpoints,
    updatedAt,
  };
}

/** The exit status that says where a run stands; `job`: what the backend says of its job, where it was asked. */
export function runExit(state: ListedRun, job: JobState | undefined): number {
  const phase = phaseOf(state, job);
  if (phase === 'done') return EXIT.done;
  if (phase === 'failed') return EXIT.jobFailed;
  if (phase === 'cancelled') return EXIT.cancelled;
  const goesOn = phase === 'running' || (job !== undefined && (isAlive(job) || job.state === 'unknown'));
  return goesOn ? EXIT.running : EXIT.temporary;
}

/** What a run has made when it is done, else the run itself. */
export function idsOf(state: ListedRun): string[] {
  const made = state.phase === 'done' ? Object.values(state.steps).at(-1)?.artifact : undefined;
  return [made == null ? formatRef({ ...state.repo, revision: state.run }) : formatRef(made.ref)];
}
