import { readRunIfReadable } from '../engine/stage-run.ts';
import type { Hub } from '../hub/hub.ts';
import { formatRef, type RepoId } from '../model/artifact.ts';
import { ownerLiveness } from '../runs/owner.ts';
import type { RunState } from '../runs/run-state.ts';

/** `stopped`: the state says running, and the process that said so is gone without a job that goes on. */
export function phaseOf(state: RunState): string {
  if (state.phase !== 'running' || state.owner === null) return state.phase;
  return ownerLiveness(state.owner) === 'dead' && state.job === null ? 'stopped' : state.phase;
}

export function summary(state: RunState): Record<string, unknown> {
  const { run, stage, repo, phase, steps, epoch, failure, checkpoints, updatedAt } = state;
  return {
    id: formatRef({ ...repo, revision: run }),
    stage,
    phase,
    shown: phaseOf(state),
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
