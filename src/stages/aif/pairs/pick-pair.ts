import { hmacOrder, hmacPick } from '../../../base/hmac-choice.ts';

/** An answer that may win or lose. */
export interface PairCandidate {
  /** unique within the prompt */
  readonly id: string;
  readonly text: string;
  readonly score: number;
}

export const REJECTED = ['random_other', 'random_lower', 'lowest', 'margin_band'] as const;

export interface PairRule {
  readonly seed: number;
  /** any other answer, any with a lower score, one with the lowest score, or one whose score is within `margin_band` below */
  readonly rejected: (typeof REJECTED)[number];
  /** in points of the score, both ends included; for `margin_band` */
  readonly margin_band: { readonly min: number; readonly max: number } | null;
  readonly ties: 'keep' | 'drop';
  readonly min_margin: number;
  readonly min_chosen: number | null;
}

export type DropReason =
  | 'fewer than two rated answers'
  | 'no answer differs in text'
  | 'no answer scores lower'
  | 'no answer within the margin band'
  | 'tie'
  | 'margin too thin'
  | 'chosen scores too low';
export type Picked<T extends PairCandidate> =
  | { readonly ok: true; readonly chosen: T; readonly rejected: T }
  | { readonly ok: false; readonly reason: DropReason };

/** Sums of ratings are not exact: 4.75 - 4.25 and 0.5 are the same margin. */
const EXACT = 1e-9;

/** Best against another, by the rule; among equals, and among those that may lose, seed and prompt decide alone. */
export function pickPair<T extends PairCandidate>(candidates: readonly T[], rule: PairRule, promptId: string): Picked<T> {
  const drop = (reason: DropReason): Picked<T> => ({ ok: false, reason });
  if (candidates.length < 2) return drop('fewer than two rated answers');
  const best = Math.max(...candidates.map(({ score }) => score));
  const chosen = hmacPick(rule.seed, 'chosen', inOrder(candidates.filter(({ score }) => score === best)), promptId) as T;
  if (rule.min_chosen !== null && chosen.score < rule.min_chosen - EXACT) return drop('chosen scores too low');
  const different = inOrder(candidates.filter(({ text }) => !sameWords(text, chosen.text)));
  if (different.length === 0) return drop('no answer differs in text');
  const rejected = hmacPick(rule.seed, 'rejected', losers(different, best, rule), promptId);
  if (rejected === undefined)
    return drop(rule.rejected === 'margin_band' ? 'no answer within the margin band' : 'no answer scores lower');
  if (rejected.score === chosen.score && rule.ties === 'drop') return drop('tie');
  if (chosen.score - rejected.score < rule.min_margin - EXACT) return drop('margin too thin');
  return { ok: true, chosen, rejected };
}

function losers<T extends PairCandidate>(
  different: readonly T[],
  best: number,
  { rejected, margin_band }: PairRule,
): readonly T[] {
  const lowest = Math.min(...different.map(({ score }) => score));
  const { min, max } = margin_band ?? { min: 0, max: Number.POSITIVE_INFINITY };
  switch (rejected) {
    case 'random_other':
      return different;
    case 'random_lower':
      return different.filter(({ score }) => score < best);
    case 'lowest':
      return different.filter(({ score }) => score < best && score === lowest);
    case 'margin_band':
      return different.filter(({ score }) => best - score >= min - EXACT && best - score <= max + EXACT);
  }
}

/** The draw must not depend on the order in which answers arrived. */
function inOrder<T extends PairCandidate>(candidates: readonly T[]): T[] {
  return hmacOrder('order', 'candidates', candidates, ({ id }) => id);
}

/** Whether two texts have the same words, white space aside. Ends at the first word that differs. */
export function sameWords(a: string, b: string): boolean {
  const [inA, inB] = [/\S+/g, /\S+/g];
  for (;;) {
    const [wordA, wordB] = [inA.exec(a)?.[0], inB.exec(b)?.[0]];
    if (wordA !== wordB) return false;
    if (wordA === undefined) return true;
  }
}
