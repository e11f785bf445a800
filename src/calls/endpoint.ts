import type { ChatAnswer, ChatFailure, Teacher } from '../teachers/teacher.ts';
import { Aimd } from './aimd.ts';
import { Breaker } from './breaker.ts';
import type { CallRetryPolicy } from './call-retry-policy.ts';
import { mostAwayMs } from './outage.ts';
import { TokenBucket } from './token-bucket.ts';

/** A call that was admitted and has not come back. */
export interface Permit {
  readonly tokens: number;
  /** by the process's steady clock */
  readonly acquiredAt: number;
  readonly isTrial: boolean;
  readonly takenRequests: number;
  readonly takenTokens: number;
}

/**
 * One model at one server under one key, as providers count limits: what it admits in a minute, how many calls at once it
 * takes without saying that it is busy, and whether it answers. All teachers that are this model there share it, in all
 * steps of a command. Times in milliseconds of the process's steady clock.
 */
export class Endpoint {
  readonly #retryPolicy: CallRetryPolicy;
  readonly #requests = new TokenBucket(undefined, false);
  readonly #tokens = new TokenBucket(undefined, true);
  readonly #atOnce = new Aimd({ most: 1 });
  readonly #breaker: Breaker;
  inFlight = 0;
  #quietUntil = 0;
  #dead: ChatFailure | undefined;
  #lastFailure: ChatFailure | undefined;
  #answeredAt = Number.NEGATIVE_INFINITY;
  /** since when it says nothing but "too many requests", and how often it has */
  #busy: { readonly since: number; times: number } | undefined;
  #isTooBusy = false;
  /** when the first call was sent of those that failed with no answer since */
  #awaySince: number | undefined;

  constructor(retryPolicy: CallRetryPolicy) {
    this.#retryPolicy = retryPolicy;
    this.#breaker = new Breaker(
      retryPolicy.breakAfter,
      retryPolicy.breakMs,
      Math.max(retryPolicy.breakMs, retryPolicy.breakMostMs),
    );
  }

  /** A teacher is this model there: what the recipe says of it holds, of several the least. */
  join({ concurrency, limits }: Pick<Teacher, 'concurrency' | 'limits'>): void {
    this.#atOnce.allow(concurrency);
    if (limits.requestsPerMinute !== undefined) this.#requests.limitTo(limits.requestsPerMinute);
    if (limits.tokensPerMinute !== undefined) this.#tokens.limitTo(limits.tokensPerMinute);
  }

  get requestLimit(): number | undefined {
    return this.#requests.limit;
  }
  get tokenLimit(): number | undefined {
    return this.#tokens.limit;
  }
  get atOnce(): number {
    return this.#atOnce.limit;
  }
  /** when it last answered anything but a transient failure */
  get answeredAt(): number {
    return this.#answeredAt;
  }
  /** Its breaker has opened since the last answer: it is left alone between two tries. */
  get isFailing(): boolean {
    return this.#breaker.openings > 0;
  }
  /** What it last said, and for how long it has answered nothing. */
  away(at: number): { readonly failure: ChatFailure; readonly ms: number } | undefined {
    return this.#awaySince === undefined || this.#lastFailure === undefined
      ? undefined
      : { failure: this.#lastFailure, ms: at - this.#awaySince };
  }
  /** Milliseconds for which it has asked to be left alone. */
  quietMs(at: number): number {
    return Math.max(0, this.#quietUntil - at);
  }

  /** Why it will answer nothing more, or nothing for now, once that is certain. `awayMs`: what the recipe allows, if anything. */
  gone(at: number, awayMs: number | undefined): ChatFailure | undefined {
    if (this.#dead !== undefined) return this.#dead;
    // While a try is on its way, or due, it may turn out to be there.
    const rest = this.#breaker.waitMs(at);
    if (rest === 0 || !Number.isFinite(rest)) return undefined;
    const most = mostAwayMs(this.#retryPolicy, awayMs, this.#answeredAt !== Number.NEGATIVE_INFINITY);
    return this.#isTooBusy || (this.away(at)?.ms ?? 0) >= most ? this.#lastFailure : undefined;
  }

  /** Milliseconds until a call of this many tokens may be sent. */
  waitMs(tokens: number, at: number): number {
    if (this.inFlight >= this.#atOnce.limit) return Number.POSITIVE_INFINITY;
    return Math.max(
      this.#quietUntil - at,
      this.#breaker.waitMs(at),
      this.#requests.waitMs(1, at),
      this.#tokens.waitMs(tokens, at),
    );
  }

  /** Milliseconds for which another server, if there is one, should take its calls. */
  closedMs(at: number): number {
    const quiet = this.#quietUntil - at;
    const isLong = quiet > this.#retryPolicy.capMs || (this.#breaker.openings > 0 && quiet > 0);
    return this.#dead === undefined ? Math.max(this.#breaker.waitMs(at), isLong ? quiet : 0) : Number.POSITIVE_INFINITY;
  }

  acquire(tokens: number, at: number): Permit {
    this.inFlight += 1;
    return {
      tokens,
      acquiredAt: at,
      isTrial: this.#breaker.sent(),
      takenRequests: this.#requests.take(1, at),
      takenTokens: this.#tokens.take(tokens, at),
    };
  }

  /** Takes note of what it answered, `used` tokens with the reply; returns the minutes of a long silence that it begins, if it does. */
  report(permit: Permit, answer: ChatAnswer, used: number, at: number): number | undefined {
    this.#settle(permit, used);
    const { limits } = answer;
    if (limits?.requests !== undefined) this.#requests.correct(limits.requests, permit.acquiredAt, permit.takenRequests, at);
    if (limits?.tokens !== undefined) this.#tokens.correct(limits.tokens, permit.acquiredAt, permit.takenTokens, at);
    if (!answer.ok) return this.#failed(permit, answer.failure, at);
    this.#atOnce.answered(at);
    this.#answered(at);
    return undefined;
  }

  /** The call was not sent after all. */
  cancel(permit: Permit): void {
    this.#settle(permit, 0);
    if (permit.isTrial) this.#breaker.withdrawn();
  }

  /** The server is left alone for a while: one call has failed at every attempt, and no other was answered in between. */
  trip(at: number): void {
    this.#breaker.trip(at);
  }

  #settle(permit: Permit, used: number): void {
    if (used === 0) this.#tokens.refused(permit.tokens, permit.acquiredAt);
    else this.#tokens.used(permit.tokens, used);
  }

  #answered(at: number): void {
    this.#answeredAt = at;
    this.#busy = undefined;
    this.#isTooBusy = false;
    this.#awaySince = undefined;
    this.#breaker.answered();
  }

  #failed(permit: Permit, failure: ChatFailure, at: number): number | undefined {
    this.#lastFailure = failure;
    if (failure.kind === 'again')
      return failure.status === 429 ? this.#isBusy(permit, failure, at) : this.#isAway(permit, failure, at);
    if (failure.kind === 'stop' || failure.kind === 'quota') this.#dead = failure;
    else this.#answered(at);
    return undefined;
  }

  #isAway(permit: Permit, failure: ChatFailure, at: number): number | undefined {
    // It counts as away from when the call was sent: the failure of an answer that never comes is late.
    this.#awaySince ??= permit.acquiredAt;
    const minutes = this.#beQuiet(failure.afterMs ?? 0, at);
    this.#breaker.failed(permit.isTrial, at);
    return minutes;
  }

  #isBusy(permit: Permit, failure: ChatFailure, at: number): number | undefined {
    const { busyMs, attempts, silenceMs } = this.#retryPolicy;
    this.#atOnce.busy(permit.acquiredAt, this.inFlight, at);
    this.#busy ??= { since: at, times: 0 };
    this.#busy.times += 1;
    // The server may name no time to wait, or one that is always too short.
    const least = at - this.#busy.since < busyMs ? 0 : busyMs;
    const minutes = this.#beQuiet(Math.max(failure.afterMs || busyMs, least), at);
    // A server that answers that it is busy is not away.
    this.#awaySince = undefined;
    if (permit.isTrial) this.#breaker.answered();
    if (this.#busy.times >= attempts && at - this.#busy.since > silenceMs) {
      this.#isTooBusy = true;
      this.#breaker.trip(at);
    }
    return minutes;
  }

  /** Returns its minutes for a silence that is long and was not said before. */
  #beQuiet(ms: number, at: number): number | undefined {
    const { capMs } = this.#retryPolicy;
    const isNews = ms > capMs && this.#quietUntil - at <= capMs;
    this.#quietUntil = Math.max(this.#quietUntil, at + ms);
    return isNews ? Math.ceil(ms / 60_000) : undefined;
  }
}
