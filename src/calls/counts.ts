import type { CallOutcome } from './call.ts';
import type { CallLog } from './call-log.ts';
import { keySet } from './key-set.ts';
import type { Totals } from './known-calls.ts';
import { rateMeter } from './rate-meter.ts';

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
export interface Counts {
  readonly sums: Readonly<Sums>;
  /** Calls that are left, as far as is known. */
  left(): number | undefined;
  /** Seconds until all are done at the rate of the last minute. */
  etaSeconds(now: number): number | null;
  settled(outcome: CallOutcome, prefetch: boolean, now: number): void;
  /** The reply to a call of this session is used. */
  used(key: string): void;
  /** So many calls are still to come. */
  expect(left: number): void;
  readonly total: number;
}

/** `now`: when the session begins, by one steady clock, in milliseconds. */
export function makeCounts(log: Pick<CallLog, 'usage'>, begunAt: number): Counts {
  const sums: Sums = { asked: 0, replayed: 0, failed: 0, prefetch: 0, costUsd: 0, promptTokens: 0, completionTokens: 0 };
  const known = keySet();
  const settledMeter = rateMeter();
  let expected: number | undefined;

  function used(key: string): void {
    if (!known.add(key)) return;
    const usage = log.usage(key);
    sums.costUsd += usage?.usd ?? 0;
    sums.promptTokens += usage?.promptTokens ?? 0;
    sums.completionTokens += usage?.completionTokens ?? 0;
  }
  const settled = () => sums.asked + sums.replayed + sums.failed;
  const left = () => (expected === undefined ? undefined : Math.max(0, expected - settled()));

  return {
    sums,
    get total() {
      return Math.max(expected ?? 0, settled());
    },
    left,
    etaSeconds(now) {
      const calls = left();
      const rate = settledMeter.sum(now) / Math.min(60, Math.max(1, (now - begunAt) / 1000));
      return calls === undefined || rate === 0 ? null : Math.round(calls / rate);
    },
    settled(outcome, prefetch, now) {
      if (prefetch) {
        sums.prefetch += 1;
        return;
      }
      if (!outcome.replayed) settledMeter.add(1, now);
      sums[outcome.ok ? (outcome.replayed ? 'replayed' : 'asked') : 'failed'] += 1;
      if (outcome.ok) used(outcome.key);
    },
    used,
    expect(left) {
      expected = settled() + left;
    },
  };
}

/**
 * Attempts that may have been paid twice, since their calls were sent again although nobody knows whether they had been
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
