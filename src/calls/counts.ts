import type { CallOutcome } from './call.ts';
import type { CallLog } from './call-log.ts';
import type { Totals } from './known-calls.ts';
import { RateMeter } from './rate-meter.ts';

/** Sums over what a session was asked for. A call counts once however often it is asked or read. */
export interface Sums {
  /** answered by a teacher in this session */
  asked: number;
  replayed: number;
  failed: number;
  /** asked in advance for a later step, and in no other figure */
  prefetch: number;
  /** United States dollars, whichever session paid them */
  costUsd: number;
  promptTokens: number;
  completionTokens: number;
}

/** What a session was asked for, so far. */
export class Counts {
  readonly sums: Sums = { asked: 0, replayed: 0, failed: 0, prefetch: 0, costUsd: 0, promptTokens: 0, completionTokens: 0 };
  readonly #log: Pick<CallLog, 'use' | 'usage'>;
  readonly #begunAt: number;
  readonly #meter = new RateMeter();
  #expected: number | undefined;

  /** `begunAt`: when the session begins, by one steady clock, in milliseconds. */
  constructor(log: Pick<CallLog, 'use' | 'usage'>, begunAt: number) {
    this.#log = log;
    this.#begunAt = begunAt;
  }

  get total(): number {
    return Math.max(this.#expected ?? 0, this.#settled);
  }

  /** Calls that are left, as far as is known. */
  get left(): number | undefined {
    return this.#expected === undefined ? undefined : Math.max(0, this.#expected - this.#settled);
  }

  /** Seconds until all are done at the rate of the last minute. */
  etaSeconds(now: number): number | null {
    const rate = this.#meter.sum(now) / Math.min(60, Math.max(1, (now - this.#begunAt) / 1000));
    return this.left === undefined || rate === 0 ? null : Math.round(this.left / rate);
  }

  settled(outcome: CallOutcome, isPrefetched: boolean, now: number): void {
    if (isPrefetched) {
      this.sums.prefetch += 1;
      return;
    }
    if (!outcome.replayed) this.#meter.add(1, now);
    this.sums[outcome.ok ? (outcome.replayed ? 'replayed' : 'asked') : 'failed'] += 1;
    if (outcome.ok) this.used(outcome.key);
  }

  /** The reply to a call of this session is used. */
  used(key: string): void {
    if (!this.#log.use(key)) return;
    const usage = this.#log.usage(key);
    this.sums.costUsd += usage?.usd ?? 0;
    this.sums.promptTokens += usage?.promptTokens ?? 0;
    this.sums.completionTokens += usage?.completionTokens ?? 0;
  }

  /** `left` calls are still to come. */
  expect(left: number): void {
    this.#expected = this.#settled + left;
  }

  get #settled(): number {
    return this.sums.asked + this.sums.replayed + this.sums.failed;
  }
}

/**
 * Attempts that may have been paid twice, since their calls were sent again before it was known whether they had been
 * answered and billed. An attempt counts once, however often it is told.
 */
export class Doubts {
  count: number;
  /** by estimate; calls without a price are not in it */
  usd: number;
  readonly #known = new Set<string>();

  /** What earlier sessions of the run left in doubt is in its log. */
  constructor({ lost, lostUsd }: Pick<Totals, 'lost' | 'lostUsd'>) {
    this.count = lost;
    this.usd = lostUsd;
  }

  add({ key, attempt, est }: { readonly key: string; readonly attempt: number; readonly est: number | null }): void {
    const name = `${key} ${attempt}`;
    if (this.#known.has(name)) return;
    this.#known.add(name);
    this.count += 1;
    this.usd += est ?? 0;
  }
}
