interface AimdOptions {
  /** the most at once, unless more is allowed later */
  readonly most: number;
  readonly start?: number;
}

/** Calls at once to begin with. Most servers take as many; a short run would be over before a smaller number had grown. */
const START = 64;
const DECREASE = 0.75;
const ANSWERS_PER_STEP = 25;
/** Beyond the number at which the server was last busy it is tried only a little further, */
const OVER_CEILING = 1.1;
/** for as long as its limits, which are those of a minute, may be the same. */
const REMEMBER_MS = 60_000;

/**
 * How many calls a server is sent at once: additive increase, multiplicative decrease. Until it first says that it is busy
 * the number grows by one with every answer, so that it doubles in the time of one call. Factors as in NVIDIA's DataDesigner
 * (x0.75, +1 per 25 answers, ceiling +10 %). Times of one steady clock.
 */
export class Aimd {
  #most: number;
  readonly #start: number;
  #limit: number;
  #ceiling = Number.POSITIVE_INFINITY;
  #decreasedAt = Number.NEGATIVE_INFINITY;
  #sinceStep = 0;

  constructor({ most, start = START }: AimdOptions) {
    this.#most = most;
    this.#start = start;
    this.#limit = Math.min(most, start);
  }

  get limit(): number {
    return this.#limit;
  }

  /** Allows this many at once, unless more were allowed before. */
  allow(most: number): void {
    if (most <= this.#most) return;
    this.#most = most;
    // Until the server first says that it is busy, a raised limit takes effect at once, as if it had been known from the start.
    if (this.#decreasedAt === Number.NEGATIVE_INFINITY) this.#limit = Math.max(this.#limit, Math.min(most, this.#start));
  }

  answered(now: number): void {
    if (now - this.#decreasedAt >= REMEMBER_MS) this.#ceiling = Number.POSITIVE_INFINITY;
    this.#sinceStep += 1;
    if (this.#sinceStep < (this.#decreasedAt === Number.NEGATIVE_INFINITY ? 1 : ANSWERS_PER_STEP)) return;
    this.#sinceStep = 0;
    const highest = Math.max(this.#ceiling + 1, Math.floor(this.#ceiling * OVER_CEILING));
    this.#limit = Math.max(this.#limit, Math.min(this.#limit + 1, this.#most, highest));
  }

  /** "Too many requests" to a call that was sent at `sentAt`, when `inFlight` were on their way. One burst counts once. */
  busy(sentAt: number, inFlight: number, now: number): void {
    if (sentAt <= this.#decreasedAt) return;
    this.#decreasedAt = now;
    this.#sinceStep = 0;
    this.#ceiling = Math.max(1, Math.min(this.#limit, inFlight));
    this.#limit = Math.max(1, Math.floor(this.#ceiling * DECREASE));
  }
}
