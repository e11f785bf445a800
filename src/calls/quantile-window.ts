/** A quantile of the last values, for what the next one will hardly exceed. */
export interface QuantileWindow {
  /** values seen, those that left the window included */
  readonly count: number;
  add(value: number): void;
  /** `undefined` as long as there is no value. */
  value(): number | undefined;
}

/** Sorting the window for every value would cost more than the call it is for. */
const SORT_EVERY = 16;

/** Nearest rank: the smallest value that a part `quantile` of the window does not exceed. */
export function quantileWindow(quantile = 0.95, size = 256): QuantileWindow {
  const values = new Float64Array(size);
  let count = 0;
  let sortedAt = 0;
  let found: number | undefined;

  return {
    get count() {
      return count;
    },
    add(value) {
      values[count % size] = value;
      count += 1;
    },
    value() {
      if (count > sortedAt && (count <= SORT_EVERY || count - sortedAt >= SORT_EVERY)) {
        const sorted = values.slice(0, Math.min(count, size)).sort();
        found = sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)];
        sortedAt = count;
      }
      return found;
    },
  };
}
