import type { ListedRun } from '../engine/run-list.ts';
import { formatRef } from '../model/artifact.ts';
import type { JobState } from '../model/job.ts';
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
