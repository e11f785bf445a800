import { diskFault, ZephyrError } from '../errors.ts';
import type { PlannedStep } from '../plan/plan.ts';
import { isLost } from './call-log.ts';
import type { StageRun } from './stage-run.ts';

/**
 * A step could not go on: writes down why, gives the run up, and throws the error again with the way back. What the
 * run has is kept. A run that another process owns by now is left alone, as no commit lands on what was read before.
 */
export async function release(run: StageRun, step: PlannedStep, thrown: unknown): Promise<never> {
  const error = diskFault(thrown, `go on with ${step.stage}/${step.name}`) ?? thrown;
  // a job that this machine cannot see is a conflict too: the run stays free for a machine that sees it
  const reason = error instanceof ZephyrError ? error.exit : 'bug';
  const detached = isLost(error) || reason === 'detached';
  const message = error instanceof Error ? error.message : String(error);
  const ended = { type: 'session-ended', exit: detached ? 'detached' : reason, message } as const;
  run.log?.announce(ended);
  const failure = detached ? null : { reason, message };
  try {
    await run.giveUp(detached ? 'detached' : 'failed', failure, message);
  } catch (lost) {
    if (lost instanceof ZephyrError && lost.exit === 'cancelled') throw lost;
    // The Hub may be what failed: the next zephyr sees an owner that is dead and takes the run over.
  } finally {
    run.log?.emit(ended);
  }
  if (isLost(error) || !(error instanceof ZephyrError)) throw error;
  throw withWayBack(error, run);
}

function withWayBack(error: ZephyrError, run: StageRun): ZephyrError {
  // A run keeps its recipe and its data: what is wrong with them is wrong again when it is resumed.
  const way =
    error.exit === 'usage'
      ? 'once that is mended, the same command goes on: what is made and paid is used again'
      : `go on with: zephyr resume ${run.id}`;
  const hint = error.hint === undefined ? way : `${error.hint.replace(/\.$/, '')}; ${way}`;
  return new ZephyrError(error.message, { exit: error.exit, hint, cause: error });
}
