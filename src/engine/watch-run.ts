import { isLost } from './journal.ts';
import type { StageRun } from './stage-run.ts';

/** One small request to the Hub each time; so long two machines may ask the same teachers after a take-over, and no longer. */
export const LOOK_MS = 15_000;

/** Looks now and then whether the run is still ours; `lost` is told when it is not. Returns what ends it. */
export function watchRun(run: StageRun, everyMs: number, lost: (error: unknown) => void): () => void {
  let looking = false;
  async function look(): Promise<void> {
    if (looking) return;
    looking = true;
    // A Hub that does not answer says nothing of it.
    await run.check().catch((error: unknown) => isLost(error) && lost(error));
    looking = false;
  }
  const timer = setInterval(look, everyMs).unref();
  return () => clearInterval(timer);
}
