/**
 * How many calls a server is sent at once: additive increase, multiplicative decrease. Until it first says that it is busy
 * the number grows by one with every answer, so that it doubles in the time of one call.
 */
export interface Aimd {
  readonly limit: number;
  /** Never more than so many, or than an earlier such word said. */
  allow(most: number): void;
  answered(now: number): void;
  /** "Too many requests" to a call that was sent at `sentAt`, when so many were in flight. One burst counts once. */
  busy(sentAt: number, inFlight: number, now: number): void;
}

export interface AimdOptions {
  /** never more, unless more is allowed later */
  readonly most: number;
  readonly start?: number;
}

/** No more than a server takes that is asked by one process; a short run would be over before it grew so far. */
const START = 64;
const DECREASE = 0.75;
const ANSWERS_PER_STEP = 25;
/** Beyond the number at which the server was last busy it is tried only a little further, */
const OVER_CEILING = 1.1;
/** for as long as its limits, which are those of a minute, may be the same. */
const REMEMBER_MS = 60_000;

/** Factors as in NVIDIA's DataDesigner (x0.75, +1 per 25 answers, ceiling +10 %). Times of one steady clock. */
export function aimd({ most: first, start = START }: AimdOptions): Aimd {
  let most = first;
  let limit = Math.min(most, start);
  let ceiling = Number.POSITIVE_INFINITY;
  let decreasedAt = Number.NEGATIVE_INFINITY;
  let sinceStep = 0;

  return {
    get limit() {
      return limit;
    },
    allow(more) {
      if (more <= most) return;
      most = more;
      // Until it has said that it is busy it starts with what may be, as if that had been known.
      if (decreasedAt === Number.NEGATIVE_INFINITY) limit = Math.max(limit, Math.min(most, start));
    },
    answered(now) {
      if (now - decreasedAt >= REMEMBER_MS) ceiling = Number.POSITIVE_INFINITY;
      const perStep = decreasedAt === Number.NEGATIVE_INFINITY ? 1 : ANSWERS_PER_STEP;
      sinceStep += 1;
      if (sinceStep < perStep) return;
      sinceStep = 0;
      limit = Math.max(limit, Math.min(limit + 1, most, Math.max(ceiling + 1, Math.floor(ceiling * OVER_CEILING))));
    },
    busy(sentAt, inFlight, now) {
      if (sentAt <= decreasedAt) return;
      decreasedAt = now;
      sinceStep = 0;
      ceiling = Math.max(1, Math.min(limit, inFlight));
      limit = Math.max(1, Math.floor(ceiling * DECREASE));
    },
  };
}
