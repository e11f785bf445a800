/** An answer's overall score and the mean of its aspects, each on its own scale. */
export interface Scored {
  readonly id: string;
  readonly overall: number;
  readonly mean: number;
}

/** Standard deviations between the two scores of one answer, each taken from its own mean. */
const FAR = 3;

/**
 * Ids of answers whose two scores tell opposite stories: |z(overall) - z(mean)| of at least 3. UltraFeedback's critique
 * scores of 1 that became 10 (OpenBMB/UltraFeedback issue 8) stand out by it.
 */
export function contradictions(scored: readonly Scored[]): string[] {
  const overall = spread(scored.map((each) => each.overall));
  const mean = spread(scored.map((each) => each.mean));
  if (overall.deviation === 0 || mean.deviation === 0) return [];
  return scored
    .filter(
      (each) => Math.abs((each.overall - overall.mean) / overall.deviation - (each.mean - mean.mean) / mean.deviation) >= FAR,
    )
    .map(({ id }) => id);
}

function spread(values: readonly number[]): { readonly mean: number; readonly deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length);
  return { mean, deviation: Math.sqrt(variance) };
}
