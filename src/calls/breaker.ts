/**
 * Leaves a server alone that fails again and again: after some failures in a row it is `open` for a while, then one call is
 * let through, on whose outcome it closes or opens for twice as long. Times of one steady clock.
 */
export class Breaker {
  readonly #after: number;
  readonly #firstMs: number;
  readonly #mostMs: number;
  #failures = 0;
  #openings = 0;
  #state: 'closed' | 'open' | 'trial' = 'closed';
  #openUntil = 0;

  /** Opens after `after` failures, for `firstMs` at first and `mostMs` at most. */
  constructor(after: number, firstMs: number, mostMs: number) {
    this.#after = after;
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
  }

  /** Times that it opened since the last answer. */
  get openings(): number {
    return this.#openings;
  }

  /** Milliseconds until a call may be sent; infinite while the one that was let through is on its way. */
  waitMs(now: number): number {
    if (this.#state === 'closed') return 0;
    return this.#state === 'trial' ? Number.POSITIVE_INFINITY : Math.max(0, this.#openUntil - now);
  }

  /** A call is sent; says whether it is the one on trial. */
  sent(): boolean {
    if (this.#state !== 'open') return false;
    this.#state = 'trial';
    return true;
  }

  answered(): void {
    this.#failures = 0;
    this.#openings = 0;
    this.#state = 'closed';
  }

  failed(wasTrial: boolean, now: number): void {
    this.#failures += 1;
    // A call that was under way when the breaker opened brings no news.
    if (this.#state === 'trial' ? wasTrial : this.#failures >= this.#after) this.trip(now);
  }

  /** The call on trial never left. */
  withdrawn(): void {
    if (this.#state === 'trial') this.#state = 'open';
  }

  /** Opens, whatever was counted. */
  trip(now: number): void {
    if (this.#state === 'open') return;
    this.#state = 'open';
    this.#openUntil = now + Math.min(this.#mostMs, this.#firstMs * 2 ** this.#openings);
    this.#openings += 1;
  }
}
