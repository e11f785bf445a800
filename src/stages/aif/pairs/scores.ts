import type { Rating } from '../tables.ts';

/** The score of one answer from all its ratings; null when one that is needed is missing. */
export function scoreOf(
  ratings: readonly Rating[],
  score: 'overall' | 'mean_aspects',
  aspects: readonly string[],
): number | null {
  return score === 'overall'
    ? aspectScore(ratings, 'overall').value
    : meanOf(aspects.map((aspect) => aspectScore(ratings, aspect)));
}

/** `complete`: every judgement of the aspect could be read; the value is null when all say that it does not apply. */
interface AspectScore {
  readonly complete: boolean;
  readonly value: number | null;
}

/** Mean over the permutations. */
function aspectScore(ratings: readonly Rating[], aspect: string): AspectScore {
  const own = ratings.filter((rating) => rating.aspect === aspect);
  const numbers = own.flatMap(({ rating }) => (rating === null ? [] : [rating]));
  const complete = own.length > 0 && own.every(({ status }) => status === 'ok');
  return { complete, value: complete && numbers.length > 0 ? sum(numbers) / numbers.length : null };
}

/** "Does not apply" is left out of the mean: it is no number. A missing aspect makes the whole score missing. */
export function meanOf(scores: readonly AspectScore[]): number | null {
  if (scores.length === 0 || scores.some(({ complete }) => !complete)) return null;
  const values = scores.flatMap(({ value }) => (value === null ? [] : [value]));
  return values.length === 0 ? null : sum(values) / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
