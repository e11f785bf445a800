import type { Rating } from '../../../judging/rating.ts';
import { verdictOf } from '../../../judging/verdict.ts';

/** What ranks the answers of a prompt. */
export const SCORES = ['mean_aspects', 'overall', 'weighted', 'expected', 'reward', 'pairwise'] as const;
export type Score = (typeof SCORES)[number];

/** Scores that lie on the aspects' scale of 1 to 5. */
export const isOnFivePoints = (score: Score): boolean => ['mean_aspects', 'weighted', 'expected'].includes(score);

/** The aspect that a score stands on alone; comparisons and rewards come as rows of an aspect of their own. */
const ALONE: Partial<Record<Score, string>> = { overall: 'overall', reward: 'reward', pairwise: 'comparison' };

/**
 * The score of one answer from all its ratings, or null when a judgement that it needs is missing or cannot be read:
 * nothing is put in its place. Over orders and judges see `verdictOf`; then
 *
 * - `mean_aspects`: the mean of the aspects, "does not apply" left out (Argilla's Notus, Tulu 3);
 * - `weighted`: the same with a weight for each aspect, those of aspects that do not apply left out;
 * - `expected`: the mean of aspects that the judge rated by the probabilities of its digits, so that ties are rare
 *   (ActiveUltraFeedback, arXiv 2603.09692); a rating that was only written down does not count as one;
 * - `overall`: the critique's score, 1 to 10 (ultrafeedback_binarized);
 * - `reward`: a reward model's number (SimPO);
 * - `pairwise`: the share of comparisons won, a tie counting half. In a full round robin it ranks as a Bradley-Terry fit
 *   does, of which the numbers of wins are the sufficient statistic (Ford 1957, "Solution of a ranking problem from binary
 *   comparisons"), and unlike that fit it is finite for an answer that wins or loses all; see also Shah and Wainwright,
 *   "Simple, robust and optimal ranking from pairwise comparisons" (JMLR 18, 2018).
 */
export function scoreOf(
  ratings: readonly Rating[],
  score: Score,
  aspects: readonly string[],
  weights: Readonly<Record<string, number>> = {},
): number | null {
  const alone = ALONE[score];
  const needed = alone === undefined ? aspects : [alone];
  if (needed.length === 0) return null;
  let total = 0;
  let weight = 0;
  for (const aspect of needed) {
    const own = ratings.filter((rating) => rating.aspect === aspect);
    const { complete, value } = verdictOf(own);
    if (!complete || (score === 'expected' && own.some((rating) => rating.value !== null && rating.mass === null))) return null;
    if (value === null) continue;
    const share = score === 'weighted' ? (weights[aspect] ?? 0) : 1;
    total += share * value;
    weight += share;
  }
  return weight === 0 ? null : total / weight;
}
