import { join } from 'node:path';
import { estimate, pairedEstimate } from '../../judging/estimate.ts';
import { type ClusterEstimate, type EvaluationItem, rejudgedFile, type ScoredBenchmark } from '../../model/evaluation.ts';
import { readItems } from './scored.ts';

/** Ours less theirs over the items that both have a score for, as far as an estimate goes. */
export function differenceOf(own: readonly EvaluationItem[], theirs: readonly EvaluationItem[]): ClusterEstimate | null {
  const paired = pairedEstimate(own, theirs);
  if (paired === null) return null;
  const { mean, standardError, low, high, clusters } = paired;
  return { mean, standardError, low, high, clusters };
}

/**
 * The benchmark of a scored folder with intervals for the models that were judged beside ours. A program leaves them open and
 * writes the items of each instead, see `rejudgedFile`.
 */
export async function withIntervals(
  folder: string,
  benchmark: ScoredBenchmark,
  own: readonly EvaluationItem[],
): Promise<ScoredBenchmark> {
  if (benchmark.rejudged === undefined) return benchmark;
  const rejudged = benchmark.rejudged.map(async (other, index) => {
    if (other.estimate !== null) return other;
    const theirs = await readItems(join(folder, rejudgedFile(benchmark.name, index)));
    return { ...other, estimate: estimate(theirs), difference: differenceOf(own, theirs) };
  });
  return { ...benchmark, rejudged: await Promise.all(rejudged) };
}
