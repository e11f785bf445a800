import { agreementOfTwo, pairsAmong, type Said } from '../judging/agreement.ts';
import type { Rating } from '../judging/rating.ts';
import { verdictOf } from '../judging/verdict.ts';

/** What judges said of one answer in one aspect, and what it comes to. */
export interface AspectRatings {
  readonly aspect: string;
  /** See `verdictOf`; null where a judgement is missing, or the aspect does not apply. */
  readonly value: number | null;
  readonly na: boolean;
  readonly ratings: readonly Rating[];
}

/** The ratings of one answer, aspect by aspect in the order of the rows. */
export function judgedOf(ratings: readonly Rating[]): AspectRatings[] {
  return [...Map.groupBy(ratings, ({ aspect }) => aspect)].map(([aspect, own]) => ({
    aspect,
    value: verdictOf(own).value,
    na: own.every(({ na }) => na),
    ratings: own,
  }));
}

/**
 * How far the judgements of a prompt's answers disagree, from 0 to 1: of every two answers, the share of comparisons
 * between two orders, and between two judges, in which not the same one is the better (or one says tie). Null where nothing
 * was judged twice.
 */
export function disagreement(ratings: readonly Rating[]): number | null {
  const agreement = agreementOfTwo();
  for (const own of Map.groupBy(ratings, ({ aspect, completion_id, against }) =>
    against === null ? aspect : `${aspect} ${[completion_id, against].sort().join(' ')}`,
  ).values()) {
    const judgements = [...Map.groupBy(own, ({ judge, seat, permutation }) => `${judge}\n${seat}\n${permutation}`).values()];
    for (const [one, other] of pairsAmong(judgements.map(saidOn))) agreement.add(one, other);
  }
  const { pairs, samePreference } = agreement.counts;
  return pairs === 0 ? null : 1 - samePreference / pairs;
}

/**
 * The share of judgements (judge, aspect, order) that prefer one answer to the other, a tie being half; null where no
 * judgement has both.
 */
export function preferenceShare(ratings: readonly Rating[], one: string, other: string): number | null {
  let [won, of] = [0, 0];
  for (const own of Map.groupBy(ratings, ({ judge, seat, aspect, permutation }) =>
    [judge, seat, aspect, permutation].join('\n'),
  ).values()) {
    const of1 = own.find((row) => row.completion_id === one && (row.against === null || row.against === other));
    const of2 = own.find((row) => row.completion_id === other && (row.against === null || row.against === one));
    if (typeof of1?.value !== 'number' || typeof of2?.value !== 'number') continue;
    of += 1;
    won += (Math.sign(of1.value - of2.value) + 1) / 2;
  }
  return of === 0 ? null : won / of;
}

function saidOn(rows: readonly Rating[]): Said {
  return new Map(rows.flatMap(({ completion_id, value }) => (value === null ? [] : [[completion_id, value] as const])));
}
