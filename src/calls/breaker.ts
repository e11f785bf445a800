/**
 * Leaves a server alone that fails again and again: after so many failures in a row it is `open` for a while, then one call
 * is let through, on whose outcome it closes or opens for twice as long. Times of one steady clock.
 */
export interface Breaker {
  /** Times that it opened since the last answer. */
  readonly openings: number;
  /** Milliseconds until a call may be sent; infinite while the one that was let through is on its way. */
  waitMs(now: number): number;
  /** A call is sent; says whether it is the one on trial. */
  sent(): boolean;
  answered(): void;
  failed(wasTrial: boolean, now: number): void;
  /** The call on trial never left. */
  withdrawn(): void;
  /** Opens, whatever was counted. */
  trip(now: number): void;
}

export function breaker(after: number, firstMs: number, mostMs: number): Breaker {
  let failures = 0;
  let openings = 0;
  let state: 'closed' | 'open' | 'trial' = 'closed';
  let openUntil = 0;

  function trip(now: number): void {
    if (state === 'open') return;
    state = 'open';
    openUntil = now + Math.min(mostMs, firstMs * 2 ** openings);
    openings += 1;
  }

  return {
    get openings() {
      return openings;
    },
    waitMs(now) {
      if (state === 'closed') return 0;
      return state === 'trial' ? Number.POSITIVE_INFINITY : Math.max(0, openUntil - now);
    },
    sent() {
      if (state !== 'open') return false;
      state = 'trial';
      return true;
    },
    answered() {
      failures = 0;
      openings = 0;
      state = 'closed';
    },
    failed(wasTrial, now) {
      failures += 1;
      // What was under way when it opened says nothing new.
      if (state === 'trial' ? wasTrial : failures >= after) trip(now);
    },
    withdrawn() {
      if (state === 'trial') state = 'open';
    },
    trip,
  };
}
