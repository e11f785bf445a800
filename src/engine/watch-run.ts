import { setTimeout as sleep } from 'node:timers/promises';
import { isLost } from './call-log.ts';
import type { StageRun } from './stage-run.ts';

/** One small request to the Hub each time; so long two machines may ask the same teachers after a take-over, and no longer. */
export const LOOK_MS = 15_000;

/** Between two ticks, by which a process notices that it stood still. */
const TICK_MS = 1000;
/** More than a busy machine keeps a tick waiting. */
const STILL_MS = 5000;
const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15_000;

/**
 * Milliseconds: of a clock that only goes forward, and of the wall. They differ after the machine slept, during which the
 * first may stand still, and after somebody set the second.
 */
export interface Clocks {
  readonly steady: () => number;
  readonly wall: () => number;
}

const CLOCKS: Clocks = { steady: () => performance.now(), wall: () => Date.now() };

export interface OwnerWatch {
  /**
   * Nothing to wait for while this process has been awake all the time. After it stood still (frozen, a machine that slept,
   * a clock that was set) somebody else may have the run: resolves once the Hub has said, and `lost` has been told.
   */
  readonly sure: () => Promise<void> | undefined;
  readonly end: () => void;
}

/** Looks now and then whether the run is still ours; `lost` is told when it is not, `note` when that cannot be known. */
export function watchRun(
  run: Pick<StageRun, 'check'>,
  everyMs: number,
  lost: (error: unknown) => void,
  note: (message: string) => void = () => {},
  clocks: Clocks = CLOCKS,
): OwnerWatch {
  const ended = new AbortController();
  let steady = clocks.steady();
  let wall = clocks.wall();
  let lookedAt = steady;
  let looking = false;
  let asking: Promise<void> | undefined;
  let isDoubtful = false;

  /** Whether the Hub has said whose the run is. One that does not answer has said nothing. */
  async function look(): Promise<boolean> {
    lookedAt = clocks.steady();
    try {
      await run.check();
      return true;
    } catch (error) {
      if (isLost(error)) lost(error);
      return isLost(error);
    }
  }

  function tick(): void {
    const [steadyNow, wallNow] = [clocks.steady(), clocks.wall()];
    const gap = Math.max(steadyNow - steady, Math.abs(wallNow - wall));
    isDoubtful ||= gap > STILL_MS;
    [steady, wall] = [steadyNow, wallNow];
  }

  async function becomeSure(): Promise<void> {
    for (let wait = RETRY_MS; !(await look()); wait = Math.min(LONGEST_RETRY_MS, wait * 2)) {
      if (wait === RETRY_MS) note('This process stood still for a while: nothing is sent until the Hub says whose the run is');
      await sleep(wait, undefined, { signal: ended.signal }).catch(() => undefined);
      if (ended.signal.aborted) return;
    }
    isDoubtful = false;
  }

  function sure(): Promise<void> | undefined {
    tick();
    if (!isDoubtful) return undefined;
    asking ??= becomeSure().finally(() => {
      asking = undefined;
    });
    return asking;
  }

  const timer = setInterval(
    () => {
      tick();
      if (looking || (!isDoubtful && clocks.steady() - lookedAt < everyMs)) return;
      looking = true;
      void (isDoubtful ? sure() : look())?.finally(() => {
        looking = false;
      });
    },
    Math.min(TICK_MS, everyMs),
  ).unref();
  return {
    sure,
    end: () => {
      clearInterval(timer);
      ended.abort();
    },
  };
}
