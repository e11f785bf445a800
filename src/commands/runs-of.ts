import { readRunIfReadable } from '../engine/stage-run.ts';
import type { Hub } from '../hub/hub.ts';
import { formatRef, type RepoId } from '../model/artifact.ts';
import type { JobState } from '../model/job.ts';
import { ownerLiveness } from '../runs/owner.ts';
import type { RunState } from '../runs/run-state.ts';

/**
 * `stopped`: the state says running, and the process that said so is gone without a job that goes on. `job`: what the
 * backend says of the run's job, where it was asked.
 */
export function phaseOf(state: RunState, job?: JobState): string {
  if (state.phase !== 'running' || state.owner === null || ownerLiveness(state.owner) !== 'dead') return state.phase;
  return state.job === null || job?.state === 'exited' || job?.state === 'absent' ? 'stopped' : state.phase;
}

export function summary(state: RunState, job?: JobState): Record<string, unknown> {
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

/** Every run of a repo whose state can be read. */
export async function runsOf(hub: Hub, repo: RepoId): Promise<RunState[]> {
  const branches = Object.keys((await hub.refs(repo))?.branches ?? {}).filter((name) => name.startsWith('run-'));
  const states = await Promise.all(branches.map((branch) => readRunIfReadable(hub, repo, branch)));
  return states.flatMap((found) => (found === undefined ? [] : [found.state]));
}
