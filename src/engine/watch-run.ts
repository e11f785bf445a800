import { setTimeout as sleep } from 'node:timers/promises';
import { isLost } from './call-log.ts';
import type { StageRun } from './stage-run.ts';

/** Each look is one small request to the Hub; after a take-over two machines may ask the same teachers for this long. */
export const LOOK_MS = 15_000;

/** Between two ticks, by which a process notices that it stood still. */
const TICK_MS = 1000;
/** More than a busy machine keeps a tick waiting. */
const STILL_MS = 5000;
const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 15_000;

/**
 * Milliseconds: of a clock that only goes forward, and of the wall. They differ after the machine slept, during which the
 * first may stand still, and after the second was set.
 */
export interface Clocks {
  readonly steady: () => number;
  readonly wall: () => number;
}

const CLOCKS: Clocks = { steady: () => performance.now(), wall: () => Date.now() };

interface WatchOptions {
  /** milliseconds between two looks */
  readonly everyMs: number;
  /** Called when another process has taken the run over or a user has cancelled it. */
  readonly lost: (error: unknown) => void;
  /** Called when the Hub does not answer, so that the owner of the run is not known. */
  readonly note?: (message: string) => void;
  readonly clocks?: Clocks;
}

/** Looks now and then whether the run is still ours. */
export class OwnerWatch {
  readonly run: Pick<StageRun, 'check'>;
  readonly options: WatchOptions;
  readonly clocks: Clocks;
  readonly ended = new AbortController();
  readonly timer: NodeJS.Timeout;
  steady: number;
  wall: number;
  lookedAt: number;
  looking = false;
  /** this process stood still, and the Hub has not said since whose the run is */
  isDoubtful = false;
  asking: Promise<void> | undefined;

  constructor(run: Pick<StageRun, 'check'>, options: WatchOptions) {
    this.run = run;
    this.options = options;
    this.clocks = options.clocks ?? CLOCKS;
    [this.steady, this.wall] = [this.clocks.steady(), this.clocks.wall()];
    this.lookedAt = this.steady;
    this.timer = setInterval(() => this.#onTimer(), Math.min(TICK_MS, options.everyMs)).unref();
  }

  /**
   * Nothing to wait for while this process has been awake all the time. After it stood still (frozen, a machine that slept,
   * a clock that was set) another process may own the run: resolves once the Hub has said, and `lost` has been told.
   */
  sure(): Promise<void> | undefined {
    this.#tick();
    if (!this.isDoubtful) return undefined;
    this.asking ??= this.#becomeSure().finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  end(): void {
    clearInterval(this.timer);
    this.ended.abort();
  }

  #onTimer(): void {
    this.#tick();
    if (this.looking || (!this.isDoubtful && this.clocks.steady() - this.lookedAt < this.options.everyMs)) return;
    this.looking = true;
    void (this.isDoubtful ? this.sure() : this.#look())?.finally(() => {
      this.looking = false;
    });
  }

  #tick(): void {
    const [steady, wall] = [this.clocks.steady(), this.clocks.wall()];
    this.isDoubtful ||= Math.max(steady - this.steady, Math.abs(wall - this.wall)) > STILL_MS;
    [this.steady, this.wall] = [steady, wall];
  }

  /** Whether the Hub has said whose the run is. One that does not answer has said nothing. */
  async #look(): Promise<boolean> {
    this.lookedAt = this.clocks.steady();
    try {
      await this.run.check();
      return true;
    } catch (error) {
      if (isLost(error)) this.options.lost(error);
      return isLost(error);
    }
  }

  async #becomeSure(): Promise<void> {
    for (let wait = RETRY_MS; !(await this.#look()); wait = Math.min(LONGEST_RETRY_MS, wait * 2)) {
      if (wait === RETRY_MS)
        this.options.note?.('This process stood still for a while: nothing is sent until the Hub says whose the run is');
      await sleep(wait, undefined, { signal: this.ended.signal }).catch(() => undefined);
      if (this.ended.signal.aborted) return;
    }
    this.isDoubtful = false;
  }
}
