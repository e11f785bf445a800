import type { LimitState } from '../teachers/teacher.ts';

const MINUTE = 60_000;
/** The bucket makes up at once for a pause of the process as long as this, not for a longer one. */
const BURST_MS = 250;
/** The part of the server's bucket that stays unused, since what it charges for calls on their way is not known exactly. */
const RESERVE_MS = 1500;
const RESERVE_PART = 0.3;
/** Where the server says that plenty is left over, calls go out this much faster than the limit refills. */
const CATCH_UP = 1.05;
/** Least time between the two words of the server from which the size of its charges is read. */
const COMPARE_MS = 1000;
const LEARN = 0.2;
const LEARN_USE = 0.05;
const PLENTY = 0.9;
/** Refusals that are remembered: more than happen in the time of a call. */
const MOST_REFUSALS = 512;

/**
 * What a server admits in a minute, of requests or of tokens, as far as we know: a bucket that is refilled continuously. What
 * the server says corrects its limit, its size and its level. Times in milliseconds of one steady clock.
 */
export class TokenBucket {
  readonly #learnsCharge: boolean;
  #limit: number | undefined;
  #capacity: number;
  #level: number;
  /** What may go out now, so that a minute's allowance is spread over the minute; below zero, the next call waits. */
  #credit = 0;
  #at: number | undefined;
  /** all that was ever taken */
  #taken = 0;
  /** The server has named its limit itself. */
  #isHeard = false;
  /** What the server charges for each unit that is taken here. */
  #charge = 1;
  #refusals: { readonly sentAt: number; readonly amount: number }[] = [];
  #compared: { readonly sentAt: number; readonly taken: number; readonly remaining: number } | undefined;

  /** `learnsCharge`: the server may charge more or less than what is taken here, by an estimate of its own. */
  constructor(perMinute: number | undefined, learnsCharge: boolean) {
    this.#learnsCharge = learnsCharge;
    this.#limit = perMinute;
    this.#capacity = perMinute ?? 0;
    this.#level = this.#capacity;
  }

  /** a minute; `undefined` until the recipe or the server has named one */
  get limit(): number | undefined {
    return this.#limit;
  }

  /** Limits the bucket to what the recipe says, until the server names its limit itself. */
  limitTo(most: number): void {
    if (this.#isHeard || (this.#limit !== undefined && this.#limit <= most)) return;
    if (this.#limit === undefined) this.#level = most;
    this.#limit = most;
    this.#capacity = most;
  }

  /** Milliseconds until this amount may be taken. An amount above what the bucket holds waits until it is full. */
  waitMs(amount: number, now: number): number {
    if (this.#limit === undefined) return 0;
    this.#refill(now);
    const rate = this.#rate;
    const unused = Math.min(rate * RESERVE_MS, Math.max(0, this.#capacity - amount) * RESERVE_PART);
    const need = Math.min(amount * this.#charge + (this.#isHeard ? unused : 0), this.#capacity);
    return Math.max(0, need - this.#level, -this.#credit) / rate;
  }

  /** Returns all that was ever taken, by which `correct` tells what the server could not have seen. */
  take(amount: number, now: number): number {
    this.#taken += amount * this.#charge;
    if (this.#limit === undefined) return this.#taken;
    this.#refill(now);
    this.#level -= amount * this.#charge;
    this.#credit -= amount * this.#charge;
    return this.#taken;
  }

  /** The call used `used` of the amount that was taken for it. A server that says what is left tells its charge by that instead. */
  used(amount: number, used: number): void {
    // As long as the server has plenty left, its charges are taken to be what is used.
    if (this.#isHeard && this.#level > this.#capacity * PLENTY && used < amount * this.#charge)
      this.#charge += LEARN_USE * (used / amount - this.#charge);
    // No server lets one call take more than a minute's allowance; one that says so has miscounted.
    this.#giveBack(amount - Math.min(used, Math.max(amount, this.#limit ?? 0)));
  }

  /** The server refused the request that was sent at `sentAt`, so it charged nothing. */
  refused(amount: number, sentAt: number): void {
    this.#giveBack(amount);
    if (this.#refusals.length >= MOST_REFUSALS) this.#refusals = this.#refusals.slice(MOST_REFUSALS / 2);
    this.#refusals.push({ sentAt, amount: amount * this.#charge });
  }

  /** Takes over what the server said to the request that was sent at `sentAt`, when `taken` had been taken. */
  correct(said: LimitState, sentAt: number, taken: number, now: number): void {
    if (!(said.limit > 0) || !(said.remaining >= 0)) return;
    this.#limit = said.limit;
    this.#isHeard = true;
    this.#refill(now);
    const rate = this.#rate;
    const size = said.resetMs === undefined ? said.limit : said.remaining + rate * said.resetMs;
    this.#capacity = Math.min(said.limit, Math.max(1, said.remaining, size));
    if (this.#learnsCharge) this.#compare(said, sentAt, taken);
    const unseen = this.#taken - taken - this.#refusedBetween(sentAt, now);
    this.#level = Math.min(this.#capacity, said.remaining + rate * (now - sentAt) - unseen);
  }

  /** a millisecond */
  get #rate(): number {
    return (this.#limit ?? 0) / MINUTE;
  }

  #refill(now: number): void {
    const ms = this.#at === undefined ? BURST_MS : Math.max(0, now - this.#at);
    this.#at = now;
    const pace = this.#isHeard && this.#level > this.#capacity / 2 ? CATCH_UP : 1;
    this.#credit = Math.min(this.#rate * BURST_MS, this.#credit + this.#rate * pace * ms);
    this.#level = Math.min(this.#capacity, this.#level + this.#rate * ms);
  }

  #giveBack(amount: number): void {
    if (this.#isHeard || this.#limit === undefined) return;
    this.#level = Math.min(this.#capacity, this.#level + amount);
    this.#credit = Math.min(this.#rate * BURST_MS, this.#credit + amount);
  }

  #refusedBetween(from: number, to: number): number {
    let sum = 0;
    for (const { sentAt, amount } of this.#refusals) if (sentAt > from && sentAt <= to) sum += amount;
    return sum;
  }

  /** Learns how much the server charged between two of its words, against what was taken here. */
  #compare(said: LimitState, sentAt: number, taken: number): void {
    const before = this.#compared;
    if (before !== undefined && sentAt - before.sentAt < COMPARE_MS) return;
    this.#compared = { sentAt, taken, remaining: said.remaining };
    if (before === undefined) return;
    const takenBetween = taken - before.taken - this.#refusedBetween(before.sentAt, sentAt);
    if (takenBetween <= 0) return;
    const expected = before.remaining + this.#rate * (sentAt - before.sentAt);
    const ratio = Math.min(3, Math.max(0.2, (expected - said.remaining) / takenBetween));
    // A bucket that may have been full in between has lost a part of what came in: it charged this much or less.
    if (expected <= this.#capacity || ratio < 1)
      this.#charge = Math.min(8, Math.max(0.125, this.#charge * (1 + LEARN * (ratio - 1))));
  }
}
