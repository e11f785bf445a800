import type { Rating } from './rating.ts';

/** What all judges together say of one answer in one aspect. */
export interface PanelVerdict {
  /** Every judgement could be read. */
  readonly complete: boolean;
  /** null where not complete, or where all say that the aspect does not apply */
  readonly value: number | null;
  /** how many judges gave a number */
  readonly judges: number;
}

/**
 * `ratings` are those of one answer in one aspect: the mean of `value` over a judge's orders and opponents, then the
 * median over the judges. "Does not apply" is no number and is left out of both.
 */
export function verdictOf(ratings: readonly Pick<Rating, 'seat' | 'value' | 'status'>[]): PanelVerdict {
  const complete = ratings.length > 0 && ratings.every(({ status }) => status === 'ok');
  if (!complete) return { complete, value: null, judges: 0 };
  const byJudge = [...Map.groupBy(ratings, ({ seat }) => seat).values()].map((own) =>
    meanOf(own.flatMap(({ value }) => (value === null ? [] : [value]))),
  );
  const values = byJudge.filter((value) => value !== null);
  return { complete, value: medianOf(values), judges: values.length };
}

export function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function medianOf(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) return null;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/**
 * One number for an answer, for the statistics of a judge: the mean over its aspects without `overall`, or `overall` where
 * nothing else was rated. Null unless every aspect is complete.
 */
export function scoreOfAnswer(ratings: readonly Rating[]): number | null {
  const byAspect = Map.groupBy(ratings, ({ aspect }) => aspect);
  const own = [...byAspect].filter(([aspect]) => aspect !== 'overall' || byAspect.size === 1);
  const verdicts = own.map(([, rows]) => verdictOf(rows));
  if (verdicts.some(({ complete }) => !complete)) return null;
  return meanOf(verdicts.flatMap(({ value }) => (value === null ? [] : [value])));
}
