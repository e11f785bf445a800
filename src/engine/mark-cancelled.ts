import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { formatRef } from '../model/artifact.ts';
import type { RunState } from '../runs/run-state.ts';
import { readRun } from './read-run.ts';
import { StageRun } from './stage-run.ts';

/** Seconds that a job of a cancelled run has to save its state before it is killed. */
export const GRACE_SECONDS = 300;

/** A run that saves checkpoints moves its branch between two looks of ours. */
const TRIES = 20;

/** Writes on the run branch that the run is cancelled, even if another process owns it. Returns the state before. */
export async function markCancelled(hub: Hub, now: () => Date, { repo, run }: RunState): Promise<RunState> {
  const id = formatRef({ ...repo, revision: run });
  for (let attempt = 1; ; attempt += 1) {
    const found = await readRun(hub, repo, run);
    if (found === undefined) throw new ZephyrError(`Cannot find "${id}" on ${hub.name}`, { exit: 'preflight' });
    const { state, head } = found;
    if (state.phase === 'done') throw new ZephyrError(`Cannot cancel ${id}: it is done`);
    if (state.phase === 'cancelled') return state;
    const failure = { reason: 'cancelled', message: 'cancelled by the user' };
    try {
      await new StageRun(hub, now, state, head).giveUp('cancelled', failure, failure.message);
      return state;
    } catch (error) {
      if (!(error instanceof ZephyrError) || error.exit !== 'conflict' || attempt === TRIES) throw error;
    }
  }
}
