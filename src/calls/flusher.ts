import type { CallLog } from './call-log.ts';
import { backoffMs, pause } from './wait.ts';

/** What may be on this disk only: calls that were sent, United States dollars for them, and milliseconds since an answer came. */
export interface FlushBound {
  readonly calls: number;
  readonly usd: number;
  readonly everyMs: number;
}

/** The bound where a target names none. */
export const FLUSH_BOUND: FlushBound = { calls: 2000, usd: 5, everyMs: 60_000 };

/** A call on its way. It counts as long as another machine would ask it again. */
export interface Sent {
  /** Its answer, or that it got lost, is in the log. */
  answered(usd: number): void;
  /** It was refused, or not sent after all: nothing was paid. */
  withdrawn(): void;
}

export interface FlusherOptions {
  readonly log: Pick<CallLog, 'roll'>;
  readonly flush: (() => Promise<void>) | undefined;
  readonly bound: FlushBound;
  /** Ends all waiting. */
  readonly signal: AbortSignal;
  readonly note: (message: string) => void;
}

/** A commit is made for this many answers, where the bound is not reached before, */
const WORTH_CALLS = 50;
/** or for this part of the dollars of the bound. */
const WORTH_PART = 0.1;
/** The Hub takes 128 commits an hour and repo, and the log is not alone there: BURST at once, then one in COMMIT_MS. */
const BURST = 20;
const COMMIT_MS = 32_000;
/** At this part of the bound the next commit is not put off. */
const PRESSING_PART = 0.8;
const RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;
/** The user hears of a wait for the Hub that takes longer. */
const SILENT_MS = 10_000;
const FREE: Sent = { answered: () => undefined, withdrawn: () => undefined };

interface Unflushed {
  calls: number;
  usd: number;
}

/**
 * Takes the finished segments of a log to the Hub, and keeps what is not there yet below a bound: at the bound sending waits.
 * One copy is under way at a time; a Hub that takes none is tried again, and the log is on this disk.
 */
export class Flusher {
  readonly #options: FlusherOptions;
  /** on their way; in the log, and not in a copy yet; in the copy that is under way */
  readonly #pending: Unflushed = { calls: 0, usd: 0 };
  #fresh: Unflushed = { calls: 0, usd: 0 };
  #copying: Unflushed = { calls: 0, usd: 0 };
  #waiting: { readonly usd: number; readonly go: () => void }[] = [];
  /** when the oldest record came that is not in a copy */
  #touchedAt: number | undefined;
  #underway: Promise<boolean> | undefined;
  /** copies so far; the last of them that landed */
  #begun = 0;
  #landed = 0;
  #fails = 0;
  #retryAt = 0;
  #credit = BURST;
  #creditAt = performance.now();
  #hasSaid = false;
  #timer: NodeJS.Timeout | undefined;
  #reminder: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: FlusherOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#letIn(), { once: true });
  }

  /** Resolves when a call for about `usd` dollars may be sent, or when nothing may be sent any more. */
  async admit(usd: number): Promise<Sent> {
    if (this.#options.flush === undefined || this.#options.signal.aborted) return FREE;
    if (this.#waiting.length > 0 || !this.#fits(usd)) {
      await new Promise<void>((go) => {
        this.#waiting.push({ usd, go });
        // This timer keeps the process alive as well: where all calls wait for the Hub nothing else may.
        this.#reminder ??= setInterval(() => this.#say(), SILENT_MS);
        this.#consider();
      });
    } else this.#take(usd);
    let isOut = true;
    const back = (): boolean => {
      if (!isOut) return false;
      isOut = false;
      this.#pending.calls -= 1;
      this.#pending.usd = this.#pending.calls === 0 ? 0 : this.#pending.usd - usd;
      return true;
    };
    return {
      answered: (paid) => {
        if (!back()) return;
        this.#fresh.calls += 1;
        this.#fresh.usd += paid;
        this.#letIn();
        this.#consider();
      },
      withdrawn: () => {
        if (!back()) return;
        this.#letIn();
        this.#consider();
      },
    };
  }

  /** The log has a new record. */
  touch(): void {
    if (this.#touchedAt !== undefined) return;
    this.#touchedAt = performance.now();
    this.#consider();
  }

  /** Copies what an earlier process may have left, without waiting for it. */
  catchUp(): void {
    if (this.#options.flush !== undefined) void this.#copy();
  }

  /** Resolves when all that is in the log now has been taken to the Hub, or when nothing may be sent any more. */
  async takeAlong(): Promise<void> {
    const { flush, signal } = this.#options;
    if (flush === undefined) return;
    // A copy that is under way already may lack the newest record.
    const goal = this.#begun + 1;
    for (;;) {
      await this.#underway;
      if (this.#landed >= goal || signal.aborted) return;
      if (!(await this.#copy())) {
        this.#say();
        await pause(this.#retryAt - performance.now(), signal);
      }
    }
  }

  /** Copies what is there, if the Hub takes it now. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#reminder);
    await this.#underway;
    if (this.#touchedAt !== undefined && this.#options.flush !== undefined) await this.#copy();
  }

  #fits(usd: number): boolean {
    const { bound } = this.#options;
    const calls = this.#pending.calls + this.#fresh.calls + this.#copying.calls;
    // A single call may cost more than the bound.
    return calls === 0 || (calls < bound.calls && this.#pending.usd + this.#fresh.usd + this.#copying.usd + usd <= bound.usd);
  }

  #take(usd: number): void {
    this.#pending.calls += 1;
    this.#pending.usd += usd;
  }

  #letIn(): void {
    for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) {
      if (!this.#options.signal.aborted && !this.#fits(first.usd)) return;
      this.#waiting.shift();
      this.#take(first.usd);
      first.go();
    }
    clearInterval(this.#reminder);
    this.#reminder = undefined;
  }

  /** Copies now, or comes back when it is time. */
  #consider(): void {
    if (this.#touchedAt === undefined || this.#underway !== undefined || this.#closed || this.#options.flush === undefined)
      return;
    clearTimeout(this.#timer);
    const wait = this.#waitMs(performance.now(), this.#touchedAt);
    if (wait <= 0) void this.#copy();
    else this.#timer = setTimeout(() => this.#consider(), wait).unref();
  }

  #waitMs(now: number, touchedAt: number): number {
    const { bound } = this.#options;
    if (this.#fails > 0) return this.#retryAt - now;
    const { calls, usd } = this.#fresh;
    const blocked = this.#waiting.length > 0;
    const part = Math.max(calls / bound.calls, usd / bound.usd);
    if (part >= PRESSING_PART || (blocked && (part >= 0.5 || (calls > 0 && this.#pending.calls === 0)))) return 0;
    const age = Math.max(0, bound.everyMs - (now - touchedAt));
    if (calls < Math.min(WORTH_CALLS, bound.calls / 2) && usd < bound.usd * WORTH_PART) return age;
    return Math.min(age, this.#earned(now) >= 1 ? 0 : (1 - this.#credit) * COMMIT_MS);
  }

  /** Commits that may be made now. */
  #earned(now: number): number {
    this.#credit = Math.min(BURST, this.#credit + (now - this.#creditAt) / COMMIT_MS);
    this.#creditAt = now;
    return this.#credit;
  }

  /** Copies all that is in the log now; tells whether that landed. Several callers at once share one copy. */
  #copy(): Promise<boolean> {
    this.#underway ??= this.#once().finally(() => {
      this.#underway = undefined;
      this.#letIn();
      this.#consider();
    });
    return this.#underway;
  }

  async #once(): Promise<boolean> {
    const { log, flush, note } = this.#options;
    this.#begun += 1;
    const touchedAt = this.#touchedAt;
    this.#touchedAt = undefined;
    this.#copying = this.#fresh;
    this.#fresh = { calls: 0, usd: 0 };
    this.#credit = Math.max(0, this.#earned(performance.now()) - 1);
    try {
      await log.roll();
      await flush?.();
      if (this.#hasSaid) note('The call log is on the Hub again; asking goes on');
      this.#landed = this.#begun;
      this.#fails = 0;
      this.#hasSaid = false;
      this.#copying = { calls: 0, usd: 0 };
      return true;
    } catch (error) {
      this.#touchedAt = touchedAt ?? performance.now();
      this.#fresh = { calls: this.#fresh.calls + this.#copying.calls, usd: this.#fresh.usd + this.#copying.usd };
      this.#copying = { calls: 0, usd: 0 };
      this.#fails += 1;
      this.#retryAt = performance.now() + RETRY_MS + backoffMs(this.#fails, RETRY_MS, LONGEST_RETRY_MS, Math.random());
      if (this.#fails === 1)
        note(`The call log could not be copied to the Hub yet: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  }

  #say(): void {
    if (this.#hasSaid) return;
    this.#hasSaid = true;
    const { calls, usd } = { calls: this.#fresh.calls + this.#copying.calls, usd: this.#fresh.usd + this.#copying.usd };
    this.#options.note(
      `${calls} answered calls ($${usd.toFixed(2)}) are on this disk only: nothing more is asked until the Hub takes them`,
    );
  }
}
