/**
 * Says when a share of calls fails for good that makes going on senseless: by the last calls, not by all of them. Without
 * options at least half of the last 50 to 100.
 */
export class GiveUpRule {
  readonly #options: { readonly share: number; readonly least: number; readonly size: number };
  /** numbers of the failed calls, in order */
  readonly #failures: number[] = [];
  #count = 0;

  constructor({ share = 0.5, least = 50, size = 100 } = {}) {
    this.#options = { share, least, size };
  }

  /** Returns how many calls of the window failed, when it is time to stop. */
  settled(failed: boolean): number | undefined {
    const { share, least, size } = this.#options;
    this.#count += 1;
    if (failed) this.#failures.push(this.#count);
    while (this.#failures[0] !== undefined && this.#failures[0] <= this.#count - size) this.#failures.shift();
    const seen = Math.min(this.#count, size);
    return seen >= least && this.#failures.length >= share * seen ? this.#failures.length : undefined;
  }
}

/** Says when to give a model up: its first results, as many as `least`, were all bad. One good result settles it for ever. */
export class GiveUpAfter<Key> {
  readonly #least: number;
  readonly #bad = new Map<Key, number>();

  constructor(least: number) {
    this.#least = least;
  }

  record(key: Key, isGood: boolean): void {
    this.#bad.set(key, isGood ? Number.NEGATIVE_INFINITY : (this.#bad.get(key) ?? 0) + 1);
  }

  isReached(key: Key): boolean {
    return (this.#bad.get(key) ?? 0) >= this.#least;
  }
}
