import type { ClusterEstimate, EvaluationItem } from '../model/evaluation.ts';
import { bootstrap, type ClusterSum } from './bootstrap.ts';
import { signFlip } from './sign-flip.ts';

/** What an estimate needs of an item. */
export type ScoredItem = Pick<EvaluationItem, 'id' | 'cluster' | 'score'>;

/** Draws behind an interval and behind a p-value, and the seed of both: they are reckoned once more to the same digits anywhere. */
export const RESAMPLES = 10_000;
const SEED = 42;

/** Standard errors that a difference must span to be found in four of five repetitions at the level of 5 %: 1.960 + 0.842. */
const DETECTABLE = 2.802;

/** What a model gains over another on the items that both have a score for. Everything is in the scale of the scores. */
export interface PairedEstimate extends ClusterEstimate {
  /** items that both have a score for */
  readonly n: number;
  /** that a difference as large comes about though the two are alike, two-sided, by random signs of the clusters' differences */
  readonly p: number;
  /** the least true difference that so many items would show in four of five repetitions */
  readonly detectable: number;
  readonly wins: number;
  readonly losses: number;
  readonly ties: number;
  /** items with a score on one side alone */
  readonly onlyFirst: number;
  readonly onlySecond: number;
}

/**
 * Mean of the scores with its standard error and 95 % interval over clusters; items without a score are left out. `null` for fewer
 * than two clusters: one says nothing of how far another would lie.
 *
 * The error is the clustered one of Miller 2024 (arXiv 2411.00640, section 2.2) with the factor G / (G - 1) for G clusters,
 * which makes it the usual s / sqrt(n) where each item is a cluster of its own.
 */
export function estimate(items: readonly ScoredItem[]): ClusterEstimate | null {
  const clusters = clustersOf(items);
  if (clusters.length < 2) return null;
  return { ...bootstrap(clusters, RESAMPLES, SEED), standardError: clusterError(clusters), clusters: clusters.length };
}

/**
 * The mean of `first` less `second`, item by item (`id`), clustered as `first` says. `null` for fewer than two clusters in common.
 * Throws on an id that one of them has twice.
 */
export function pairedEstimate(first: readonly ScoredItem[], second: readonly ScoredItem[]): PairedEstimate | null {
  const [scores, others] = [scoresOf(first), scoresOf(second)];
  const differences = [...scores.values()].flatMap(({ id, cluster, score }) => {
    const other = others.get(id);
    return other === undefined ? [] : [{ id, cluster, score: score - other.score }];
  });
  const found = estimate(differences);
  if (found === null) return null;
  const count = (test: (difference: number) => boolean) => differences.filter(({ score }) => test(score)).length;
  return {
    ...found,
    n: differences.length,
    p: signFlip(
      clustersOf(differences).map(({ sum }) => sum),
      RESAMPLES,
      SEED,
    ),
    detectable: DETECTABLE * found.standardError,
    wins: count((difference) => difference > 0),
    losses: count((difference) => difference < 0),
    ties: count((difference) => difference === 0),
    onlyFirst: scores.size - differences.length,
    onlySecond: others.size - differences.length,
  };
}

function clustersOf(items: readonly ScoredItem[]): ClusterSum[] {
  const clusters = new Map<string, { sum: number; size: number }>();
  for (const { cluster, score } of items) {
    if (score === null) continue;
    const own = clusters.get(cluster) ?? { sum: 0, size: 0 };
    clusters.set(cluster, { sum: own.sum + score, size: own.size + 1 });
  }
  return [...clusters.values()];
}

function clusterError(clusters: readonly ClusterSum[]): number {
  const size = clusters.reduce((sum, cluster) => sum + cluster.size, 0);
  const mean = clusters.reduce((sum, cluster) => sum + cluster.sum, 0) / size;
  const squares = clusters.reduce((sum, cluster) => sum + (cluster.sum - cluster.size * mean) ** 2, 0);
  return Math.sqrt((clusters.length / (clusters.length - 1)) * squares) / size;
}

function scoresOf(items: readonly ScoredItem[]): Map<string, ScoredItem & { readonly score: number }> {
  const scores = new Map<string, ScoredItem & { readonly score: number }>();
  for (const { id, cluster, score } of items) {
    if (score === null) continue;
    if (scores.has(id)) throw new RangeError(`Cannot pair items: "${id}" is there twice`);
    scores.set(id, { id, cluster, score });
  }
  return scores;
}

/**
 * p-values of several comparisons that are read together, in the same order, raised so that with none of them real one below 5 %
 * comes about once in twenty tables and not once in twenty rows (Holm 1979).
 */
export function holm(ps: readonly number[]): number[] {
  const order = [...ps.keys()].sort((a, b) => (ps[a] as number) - (ps[b] as number));
  const raised = new Array<number>(ps.length);
  let least = 0;
  for (const [rank, index] of order.entries()) {
    least = Math.max(least, Math.min(1, (ps.length - rank) * (ps[index] as number)));
    raised[index] = least;
  }
  return raised;
}
