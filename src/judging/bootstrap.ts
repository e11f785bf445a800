/** A mean with its 95 % interval. */
export interface BootstrapEstimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Values that belong together and are drawn together. */
export interface ClusterSum {
  readonly sum: number;
  readonly size: number;
}

/** Numbers in [0, 1) that depend on the seed alone. The generator is mulberry32: 32 bits of state are plenty for resampling. */
export function uniforms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Mean of the values with its percentile bootstrap interval (Efron 1979): the means of `resamples` draws of the
 * same number of clusters with replacement, their 2.5 % and 97.5 % quantiles (nearest rank). A plain value is a cluster of its own. Values
 * of pairs, such as the difference of two models on one prompt, make it the paired bootstrap. Throws on no value.
 */
export function bootstrap(values: readonly (number | ClusterSum)[], resamples: number, seed: number): BootstrapEstimate {
  if (values.length === 0) throw new RangeError('Cannot estimate the mean of no values');
  const sums = Float64Array.from(values, (value) => (typeof value === 'number' ? value : value.sum));
  const sizes = Float64Array.from(values, (value) => (typeof value === 'number' ? 1 : value.size));
  const draw = uniforms(seed);
  const means = new Float64Array(resamples);
  for (let resample = 0; resample < resamples; resample += 1) {
    let [sum, size] = [0, 0];
    for (let left = sums.length; left > 0; left -= 1) {
      const drawn = Math.floor(draw() * sums.length);
      sum += sums[drawn] as number;
      size += sizes[drawn] as number;
    }
    means[resample] = sum / size;
  }
  means.sort();
  const quantile = (share: number) => means[Math.min(resamples - 1, Math.max(0, Math.ceil(share * resamples) - 1))] as number;
  return { mean: total(sums) / total(sizes), low: quantile(0.025), high: quantile(0.975) };
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** 1 for a win of `a`, 0 for a loss, one half for a tie: the mean is the win rate. */
export function wins(a: readonly number[], b: readonly number[]): number[] {
  return a.map((score, index) => {
    const other = b[index] as number;
    return score > other ? 1 : score < other ? 0 : 0.5;
  });
}
