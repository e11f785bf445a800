import type { LimitState } from '../teachers/teacher.ts';

/**
 * What a server admits in a minute, of requests or of tokens, as far as we know: a bucket that is refilled continuously.
 * Its limit, its size and what is in it are corrected by what the server says. Times in milliseconds of one steady clock.
 */
export interface TokenBucket {
  /** a minute; `undefined`: nobody has named one */
  readonly limit: number | undefined;
  readonly level: number;
  /** Milliseconds until so much may be taken. More than the bucket holds waits until it is full. */
  waitMs(amount: number, now: number): number;
  /** Returns all that was ever taken, by which `correct` tells what the server could not have seen. */
  take(amount: number, now: number): number;
  /** Less was used than was taken, or more (negative). */
  giveBack(amount: number): void;
  /** What the server said to the request that was sent at `sentAt`, when `taken` had been taken. */
  correct(said: LimitState, sentAt: number, taken: number, now: number): void;
}

const MINUTE = 60_000;
/** A pause of the process may be made up for at once, no longer one. */
const BURST_MS = 250;
/** Kept in the bucket, so that the server is not asked for more than it has while its word is on the way. */
const MARGIN_MS = 1500;
const MARGIN_PART = 0.3;
/** The server says that plenty is left over: it may be used up, but not all at once. */
const CATCH_UP = 1.05;
/** Between two words of the server from which the size of its charges is read. */
const COMPARE_MS = 500;

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
  let compared: { readonly sentAt: number; readonly taken: number; readonly remaining: number } | undefined;

  const rate = () => (limit ?? 0) / MINUTE;

  /** Part of the limit at which to send: less while the bucket is nearly empty, which keeps it from ever being empty. */
  function pace(): number {
    const margin = Math.min(rate() * MARGIN_MS, capacity * MARGIN_PART);
    if (level < margin) return Math.max(0, level / margin);
    return heard && level > capacity / 2 ? CATCH_UP : 1;
  }

  function refill(now: number): void {
    const ms = at === undefined ? BURST_MS : Math.max(0, now - at);
    at = now;
    credit = Math.min(rate() * BURST_MS, credit + rate() * pace() * ms);
    level = Math.min(capacity, level + rate() * ms);
  }

  /** How much the server charged between two of its words, against what was taken here. */
  function compare(said: LimitState, sentAt: number, takenThen: number): void {
    if (said.remaining > capacity * 0.98) compared = undefined;
    else if (compared === undefined) compared = { sentAt, taken: takenThen, remaining: said.remaining };
    else if (sentAt - compared.sentAt >= COMPARE_MS && takenThen > compared.taken) {
      const charged = compared.remaining + rate() * (sentAt - compared.sentAt) - said.remaining;
      const ratio = charged / (takenThen - compared.taken);
      charge = Math.min(8, Math.max(0.125, charge * (1 + 0.3 * (Math.min(3, Math.max(0.2, ratio)) - 1))));
      compared = { sentAt, taken: takenThen, remaining: said.remaining };
    }
  }

  return {
    get limit() {
      return limit;
    },
    get level() {
      return level;
    },
    waitMs(amount, now) {
      if (limit === undefined) return 0;
      refill(now);
      const need = Math.min(amount * charge, capacity);
      const forLevel = level >= need ? 0 : (need - level) / rate();
      const forCredit = credit >= 0 ? 0 : -credit / (rate() * Math.max(pace(), 0.1));
      return Math.max(forLevel, forCredit);
    },
    take(amount, now) {
      taken += amount * charge;
      if (limit === undefined) return taken;
      refill(now);
      level -= amount * charge;
      credit -= amount * charge;
      return taken;
    },
    giveBack(amount) {
      taken -= amount * charge;
      if (limit === undefined) return;
      level = Math.min(capacity, level + amount * charge);
      credit = Math.min(rate() * BURST_MS, credit + amount * charge);
    },
    correct(said, sentAt, takenThen, now) {
      if (!(said.limit > 0) || !(said.remaining >= 0)) return;
      limit = said.limit;
      heard = true;
      refill(now);
      const size = said.resetMs === undefined ? limit : said.remaining + rate() * said.resetMs;
      capacity = Math.min(limit, Math.max(1, said.remaining, size));
      if (learnsCharge) compare(said, sentAt, takenThen);
      level = Math.min(capacity, said.remaining + rate() * (now - sentAt) - (taken - takenThen));
    },
  };
}
