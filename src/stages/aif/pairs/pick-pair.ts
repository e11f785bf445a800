import { hmacOrder } from '../../../base/hmac-choice.ts';
import { drawOne } from '../answers/draw.ts';

/** An answer that may win or lose. */
export interface Candidate {
  /** unique within the prompt */
  readonly id: string;
  readonly model: string;
  readonly text: string;
  readonly score: number;
}

export interface PairRule {
  readonly seed: number;
  /** any other answer, any with a lower score, or one with the lowest score */
  readonly rejected: 'random_other' | 'random_lower' | 'lowest';
  readonly ties: 'keep' | 'drop';
  readonly min_margin: number;
  readonly min_chosen: number;
}

export type DropReason =
  | 'fewer than two rated answers'
  | 'no answer differs in text'
  | 'no answer scores lower'
  | 'tie'
  | 'margin too thin'
  | 'chosen scores too low';
export type Picked =
  | { readonly ok: true; readonly chosen: Candidate; readonly rejected: Candidate }
  | { readonly ok: false; readonly reason: DropReason };

/** Best against another, by the rule; among equals, and among those that may lose, seed and prompt decide alone. */
export function pickPair(candidates: readonly Candidate[], rule: PairRule, promptId: string): Picked {
  const drop = (reason: DropReason): Picked => ({ ok: false, reason });
  if (candidates.length < 2) return drop('fewer than two rated answers');
  const best = Math.max(...candidates.map(({ score }) => score));
  const chosen = drawOne(inOrder(candidates.filter(({ score }) => score === best)), rule.seed, 'chosen', promptId) as Candidate;
  if (chosen.score < rule.min_chosen) return drop('chosen scores too low');
  const different = inOrder(candidates.filter(({ text }) => folded(text) !== folded(chosen.text)));
  if (different.length === 0) return drop('no answer differs in text');
  const lowest = Math.min(...different.map(({ score }) => score));
  const losers = different.filter(({ score }) =>
    rule.rejected === 'random_other' ? true : score < best && (rule.rejected === 'random_lower' || score === lowest),
  );
  const rejected = drawOne(losers, rule.seed, 'rejected', promptId);
  if (rejected === undefined) return drop('no answer scores lower');
  if (rejected.score === chosen.score && rule.ties === 'drop') return drop('tie');
  if (chosen.score - rejected.score < rule.min_margin) return drop('margin too thin');
  return { ok: true, chosen, rejected };
}

/** The draw must not depend on the order in which answers arrived. */
function inOrder(candidates: readonly Candidate[]): Candidate[] {
  return hmacOrder('order', 'candidates', candidates, ({ id }) => id);
}

function folded(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
