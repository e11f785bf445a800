/** An answer's overall score and the mean of its aspects, each on its own scale. */
export interface TwiceScored {
  readonly completion_id: string;
  readonly model: string;
  readonly overall: number;
  readonly mean_aspects: number;
}

export type Contradiction = TwiceScored & {
  /** z of the overall score less z of the mean, in standard deviations of each */
  readonly z_difference: number;
};

/**
 * Answers whose two scores tell opposite stories, |z(overall) - z(mean)| of at least `threshold`, the farthest first.
 * UltraFeedback's critique scores of 1 that became 10 (OpenBMB/UltraFeedback issue 8, 2,628 answers) stand out by it.
 */
export function contradictions(scored: readonly TwiceScored[], threshold: number): Contradiction[] {
  const overall = spread(scored.map((each) => each.overall));
  const mean = spread(scored.map((each) => each.mean_aspects));
  if (overall.deviation === 0 || mean.deviation === 0) return [];
  return scored
    .map((each) => ({
      ...each,
      z_difference: (each.overall - overall.mean) / overall.deviation - (each.mean_aspects - mean.mean) / mean.deviation,
    }))
    .filter(({ z_difference }) => Math.abs(z_difference) >= threshold)
    .sort((a, b) => Math.abs(b.z_difference) - Math.abs(a.z_difference) || (a.completion_id < b.completion_id ? -1 : 1));
}

function spread(values: readonly number[]): { readonly mean: number; readonly deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length);
  return { mean, deviation: Math.sqrt(variance) };
}
