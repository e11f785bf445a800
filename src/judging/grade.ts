/** What a judge's reply gives as the grade of an answer. */
export type Grade = { readonly score: number } | { readonly score: null; readonly why: string };

const RATING = /\[\[(\d+(?:\.\d*)?)\]\]/;
const BARE = /\[(\d+(?:\.\d*)?)\]/;

/**
 * The grade in a reply of single-answer grading: the first number in double brackets, or else the first in single ones, as
 * FastChat's `llm_judge` reads it (0.2.36, `common.py`). A reply without one, or with one outside of the scale, gives none:
 * nothing is guessed and nothing is clipped.
 */
export function readGrade(reply: string, [least, greatest]: readonly [number, number]): Grade {
  const found = (RATING.exec(reply) ?? BARE.exec(reply))?.[1];
  if (found === undefined) return { score: null, why: 'no rating in the reply' };
  const score = Number(found);
  return score >= least && score <= greatest ? { score } : { score: null, why: `a rating outside of ${least} to ${greatest}` };
}
