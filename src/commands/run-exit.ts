import type { ListedRun } from '../engine/run-list.ts';
import { EXIT } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { isAlive, type JobState } from '../model/job.ts';
import { phaseOf } from './runs-of.ts';

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
