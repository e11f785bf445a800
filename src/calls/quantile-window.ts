/** Sorting the window for every value would cost more than the call it is for. */
const SORT_EVERY = 16;

/**
 * A quantile of the last values, for what the next one will hardly exceed. Nearest rank: the smallest value that a part
 * `quantile` of the window does not exceed.
 */
export class QuantileWindow {
  readonly #quantile: number;
  readonly #values: Float64Array;
  #count = 0;
  #sortedAt = 0;
  #found: number | undefined;

  constructor(quantile = 0.95, size = 256) {
    this.#quantile = quantile;
    this.#values = new Float64Array(size);
  }

  /** values seen, those that left the window included */
  get count(): number {
    return this.#count;
  }

  add(value: number): void {
    this.#values[this.#count % this.#values.length] = value;
    this.#count += 1;
  }

  /** `undefined` as long as there is no value. */
  value(): number | undefined {
    const isDue = this.#count <= SORT_EVERY || this.#count - this.#sortedAt >= SORT_EVERY;
    if (this.#count > this.#sortedAt && isDue) {
      const sorted = this.#values.slice(0, this.#count).sort();
      this.#found = sorted[Math.max(0, Math.ceil(this.#quantile * sorted.length) - 1)];
      this.#sortedAt = this.#count;
    }
    return this.#found;
  }
}
