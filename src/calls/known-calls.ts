import { type Entry, KeyIndex } from './key-index.ts';
import type { BatchRecord, RecordHead } from './record.ts';

/**
 * What the log knows of a call; `attempt` is the last one that it knows of. `sent`: a request left and nothing came back,
 * so that it may have been answered and billed, for `est` dollars or so. `rejected`: the server said no, and may be asked again.
 */
export type KnownCall =
  | { readonly state: 'done'; readonly attempt: number }
  | {
      readonly state: 'sent';
      readonly attempt: number;
      /** milliseconds since 1970 */
      readonly sentAt: number;
      readonly est: number | null;
      /** the SHA-256 of the batch that it went with */
      readonly batch: string | undefined;
    }
  | { readonly state: 'rejected'; readonly attempt: number };

export interface CallUsage {
  readonly usd: number | null;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** Dollars, tokens and calls are those of the run's own folder, each call once. */
const noTotals = () => ({
  done: 0,
  /** found again in a server's store */
  recovered: 0,
  promptTokens: 0,
  completionTokens: 0,
  costUsd: 0,
  /** Estimated dollars of the calls that are `sent`: they may have been billed. */
  unknownUsd: 0,
  /**
   * Estimated dollars of attempts that were sent and of which nothing is known, whereupon the call was sent again: they may
   * have been billed and never will be settled. An attempt that is known not to be billed gets a `fail` before the next.
   */
  lostUsd: 0,
  /** number of those attempts */
  lost: 0,
  /** lines of all folders that are not a record: neither whole nor the torn end of a segment */
  damaged: 0,
});
export type Totals = ReturnType<typeof noTotals>;

type CallHead = Exclude<RecordHead, BatchRecord>;
type Done = Extract<CallHead, { t: 'done' }>;

export interface RecordPlace {
  /** number of its file; bytes, without the newline */
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
  /** It is of the run's own folder. */
  readonly own: boolean;
}

/** The records of a log boiled down to a state for each call. */
export class KnownCalls {
  readonly totals: Totals = noTotals();
  readonly #index = new KeyIndex();
  /** Number 0 is no batch. */
  readonly #batchNames = [''];
  readonly #batchNumbers = new Map<string, number>();
  /** own calls that are `sent` */
  #unknown = 0;

  learn(head: CallHead, place: RecordPlace): void {
    const before = this.#index.get(head.k);
    if (before !== undefined && !isNews(before, head, place.own)) return;
    if (before?.state === 'sent' && before.own) {
      this.#owe(before.usd, -1);
      if (head.t === 'intent' || !place.own) this.#lose(before.usd);
    }
    if (place.own && head.t === 'intent') this.#owe(head.est, 1);
    if (place.own && head.t === 'done') this.#countDone(head);
    this.#index.set(head.k, this.#entryOf(head, place));
  }

  known(key: string): KnownCall | undefined {
    const entry = this.#index.get(key);
    if (entry === undefined) return undefined;
    const { state, attempt, sentAt, usd, batch } = entry;
    if (state !== 'sent') return { state, attempt };
    return { state, attempt, sentAt, est: usd, batch: batch === 0 ? undefined : this.#batchNames[batch] };
  }

  usage(key: string): CallUsage | undefined {
    const entry = this.#index.get(key);
    if (entry?.state !== 'done') return undefined;
    return { usd: entry.usd, promptTokens: entry.promptTokens, completionTokens: entry.completionTokens };
  }

  /** Says whether this is the first time that the reply to a call is used. */
  use(key: string): boolean {
    return this.#index.mark(key);
  }

  /** The place of the last record of a call, if the call is in that state. */
  position(key: string, state: Entry['state']): Pick<RecordPlace, 'segment' | 'offset' | 'length'> | undefined {
    const entry = this.#index.get(key);
    return entry?.state === state ? entry : undefined;
  }

  #numberOf(batch: string | undefined): number {
    if (batch === undefined) return 0;
    const number = this.#batchNumbers.get(batch) ?? this.#batchNames.push(batch) - 1;
    this.#batchNumbers.set(batch, number);
    return number;
  }

  #entryOf(head: CallHead, place: RecordPlace): Entry {
    const fields = { ...place, attempt: head.a, sentAt: 0, usd: null, promptTokens: 0, completionTokens: 0, batch: 0 };
    if (head.t === 'done') return { ...fields, state: 'done', usd: head.usd, promptTokens: head.in, completionTokens: head.out };
    if (head.t === 'fail') return { ...fields, state: 'rejected' };
    return { ...fields, state: 'sent', sentAt: head.at, usd: head.est, batch: this.#numberOf(head.b) };
  }

  #countDone({ usd, in: prompt, out, recovered }: Done): void {
    this.totals.done += 1;
    this.totals.recovered += recovered ? 1 : 0;
    this.totals.promptTokens += prompt;
    this.totals.completionTokens += out;
    this.totals.costUsd += usd ?? 0;
  }

  /** `est` more or less may be owed; back to zero exactly when nothing is. */
  #owe(est: number | null, sign: 1 | -1): void {
    this.#unknown += sign;
    this.totals.unknownUsd = this.#unknown === 0 ? 0 : this.totals.unknownUsd + sign * (est ?? 0);
  }

  #lose(est: number | null): void {
    this.totals.lostUsd += est ?? 0;
    this.totals.lost += 1;
  }
}

/**
 * Whether a record says more than is known. Segments may be read in any order, and one record may be in several. The first
 * answer stays the answer: what was built on it must not change when a second one turns up. What the run itself knows goes
 * before what an earlier one knew, but for an answer: that is never asked for again.
 */
function isNews(before: Entry, head: CallHead, own: boolean): boolean {
  if (before.state === 'done') return head.t === 'done' && own && !before.own;
  if (head.t === 'done') return true;
  if (own !== before.own) return own;
  return head.t === 'fail' ? head.a >= before.attempt : head.a > before.attempt;
}
