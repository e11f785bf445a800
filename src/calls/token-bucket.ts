import type { LimitState } from '../teachers/teacher.ts';

/**
 * What a server admits in a minute, of requests or of tokens, as far as we know: a bucket that is refilled continuously.
 * Its limit, its size and what is in it are corrected by what the server says. Times in milliseconds of one steady clock.
 */
export interface TokenBucket {
  /** a minute; `undefined`: nobody has named one */
  readonly limit: number | undefined;
  readonly level: number;
  /** So much a minute at most, by the recipe; where the server names its limit itself, that holds. */
  limitTo(perMinute: number): void;
  /** Milliseconds until so much may be taken. More than the bucket holds waits until it is full. */
  waitMs(amount: number, now: number): number;
  /** Returns all that was ever taken, by which `correct` tells what the server could not have seen. */
  take(amount: number, now: number): number;
  /** So much was used of what was taken. Where the server says what is left, what it charges is learned from that instead. */
  used(taken: number, used: number): void;
  /** Nothing was: the server refused the request that was sent at `sentAt`. */
  refused(taken: number, sentAt: number): void;
  /** What the server said to the request that was sent at `sentAt`, when `taken` had been taken. */
  correct(said: LimitState, sentAt: number, taken: number, now: number): void;
}

const MINUTE = 60_000;
/** A pause of the process may be made up for at once, no longer one. */
const BURST_MS = 250;
/** So much is left in the server's bucket, since what it will charge for calls on their way is not known exactly. */
const RESERVE_MS = 1500;
const RESERVE_PART = 0.3;
/** The server says that plenty is left over: it may be used up, but not all at once. */
const CATCH_UP = 1.05;
/** Between two words of the server from which the size of its charges is read. */
const COMPARE_MS = 1000;
const LEARN = 0.2;
const LEARN_USE = 0.05;
const PLENTY = 0.9;
/** More than are on their way in the time of a call. */
const MOST_REFUSALS = 512;

/** `learnsCharge`: the server may charge more or less than what is taken here, by its own estimate. */
export function tokenBucket(perMinute: number | undefined, learnsCharge: boolean): TokenBucket {
  let limit = perMinute;
  let capacity = perMinute ?? 0;
  let level = capacity;
  /** What may go out now, so that a minute's allowance is spread over the minute; below zero: wait. */
  let credit = 0;
  let at: number | undefined;
  let taken = 0;
  let heard = false;
  let charge = 1;
  let refusals: { readonly sentAt: number; readonly amount: number }[] = [];
  let compared: { readonly sentAt: number; readonly taken: number; readonly remaining: number } | undefined;

  const rate = () => (limit ?? 0) / MINUTE;

  function refill(now: number): void {
    const ms = at === undefined ? BURST_MS : Math.max(0, now - at);
    at = now;
    const pace = heard && level > capacity / 2 ? CATCH_UP : 1;
    credit = Math.min(rate() * BURST_MS, credit + rate() * pace * ms);
    level = Math.min(capacity, level + rate() * ms);
  }

  function giveBack(amount: number): void {
    if (heard || limit === undefined) return;
    level = Math.min(capacity, level + amount);
    credit = Math.min(rate() * BURST_MS, credit + amount);
  }

  function refusedBetween(from: number, to: number): number {
    let sum = 0;
    for (const { sentAt, amount } of refusals) if (sentAt > from && sentAt <= to) sum += amount;
    return sum;
  }

  /** How much the server charged between two of its words, against what was taken here. */
  function compare(said: LimitState, sentAt: number, takenThen: number): void {
    const ms = compared === undefined ? 0 : sentAt - compared.sentAt;
    if (compared !== undefined && ms < COMPARE_MS) return;
    const takenBetween = takenThen - (compared?.taken ?? 0) - refusedBetween(compared?.sentAt ?? 0, sentAt);
    if (compared !== undefined && takenBetween > 0) {
      const charged = compared.remaining + rate() * ms - said.remaining;
      const ratio = Math.min(3, Math.max(0.2, charged / takenBetween));
      // A bucket that may have been full in between has lost a part of what came in: it charged this much or less.
      const isCertain = compared.remaining + rate() * ms <= capacity;
      if (isCertain || ratio < 1) charge = Math.min(8, Math.max(0.125, charge * (1 + LEARN * (ratio - 1))));
    }
    compared = { sentAt, taken: takenThen, remaining: said.remaining };
  }

  return {
    get limit() {
      return limit;
    },
    get level() {
      return level;
    },
    limitTo(most) {
      if (heard || (limit !== undefined && limit <= most)) return;
      level = limit === undefined ? most : Math.min(level, most);
      limit = most;
      capacity = most;
    },
    waitMs(amount, now) {
      if (limit === undefined) return 0;
      refill(now);
      const reserve = heard ? Math.min(rate() * RESERVE_MS, Math.max(0, capacity - amount) * RESERVE_PART) : 0;
      const need = Math.min(amount * charge + reserve, capacity);
      return Math.max(0, need - level, -credit) / rate();
    },
    take(amount, now) {
      taken += amount * charge;
      if (limit === undefined) return taken;
      refill(now);
      level -= amount * charge;
      credit -= amount * charge;
      return taken;
    },
    used(amount, used) {
      // As long as the server has plenty left, its charges are taken to be what is used.
      if (heard && level > capacity * PLENTY && used < amount * charge) charge += LEARN_USE * (used / amount - charge);
      // No server lets one call take more than a minute's; one that says so has miscounted.
      giveBack(amount - Math.min(used, Math.max(amount, limit ?? 0)));
    },
    refused(amount, sentAt) {
      giveBack(amount);
      if (refusals.length >= MOST_REFUSALS) refusals = refusals.slice(MOST_REFUSALS / 2);
      refusals.push({ sentAt, amount: amount * charge });
    },
    correct(said, sentAt, takenThen, now) {
      if (!(said.limit > 0) || !(said.remaining >= 0)) return;
      limit = said.limit;
      heard = true;
      refill(now);
      const size = said.resetMs === undefined ? limit : said.remaining + rate() * said.resetMs;
      capacity = Math.min(limit, Math.max(1, said.remaining, size));
      if (learnsCharge) compare(said, sentAt, takenThen);
      level = Math.min(capacity, said.remaining + rate() * (now - sentAt) - (taken - takenThen - refusedBetween(sentAt, now)));
    },
  };
}
