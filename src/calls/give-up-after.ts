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
