import { join } from 'node:path';
import { countsInWords } from '../../../base/counter.ts';
import { hmacUniform } from '../../../base/hmac-choice.ts';
import type { Turn } from '../../../datasets/conversation.ts';
import { type Columns, writeParquet } from '../../../datasets/parquet.ts';
import { PAIR_COLUMNS } from '../../../datasets/preference.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Flag } from '../../flags.ts';
import { pairsFile } from '../tables.ts';
import type { AnsweredPrompt } from './rated-prompts.ts';

/** What was decided about a prompt; its texts stay on the disk until they are written. */
export interface PickedPair {
  readonly prompt_id: string;
  readonly chosen_id: string;
  readonly rejected_id: string;
  readonly score_chosen: number;
  readonly score_rejected: number;
  readonly candidates: number;
  readonly flags: readonly PairFlag[];
}

/** `same_when_cut`: an estimate, see `sameWhenCut`; `refusal_chosen`: in a source where a refusal may be right. */
export type PairFlag = 'same_when_cut' | 'refusal_chosen';

/** A row of the final dataset. */
export type Pair = {
  readonly prompt: string;
  readonly prompt_id: string;
  readonly chosen: readonly Turn[];
  readonly rejected: readonly Turn[];
  readonly messages: readonly Turn[];
  readonly score_chosen: number;
  readonly score_rejected: number;
  readonly chosen_model: string;
  readonly rejected_model: string;
  readonly margin: number;
  /** completion ids: by them a pair finds its answers and their ratings */
  readonly chosen_id: string;
  readonly rejected_id: string;
  readonly source: string | null;
  /** answers that might have been in it */
  readonly n_candidates: number;
  readonly flags: readonly PairFlag[];
};

/** The columns of HuggingFaceH4/ultrafeedback_binarized, then ours. */
const COLUMNS: Columns = {
  ...PAIR_COLUMNS,
  chosen_id: 'string',
  rejected_id: 'string',
  source: 'string',
  n_candidates: 'int',
  flags: 'strings',
};

export const SPLITS = ['train_prefs', 'test_prefs'] as const;

/** Flags of answers that win and lose nothing; a refusal may, in a source where it may be right. */
const NEVER_PAIRED: readonly Flag[] = ['missing', 'empty', 'truncated', 'refusal'];

/** The flag that keeps an answer out of every pair. */
export function obstacle(flags: readonly string[], safety: boolean): string | undefined {
  return NEVER_PAIRED.find((flag) => flags.includes(flag) && !(safety && flag === 'refusal'));
}

interface PairsToWrite {
  /** by prompt id */
  readonly picks: ReadonlyMap<string, PickedPair>;
  readonly seed: number;
  /** prompts to hold out, drawn by seed and prompt alone */
  readonly test: number;
  /** prompts that gave no pair, by reason, for the error */
  readonly dropped: Readonly<Record<string, number>>;
}

/**
 * Writes the picks as the splits `train_prefs` and `test_prefs`, in the order of the prompts. Only the held-out pairs, and
 * those that are being written, are in memory. Throws a `ZephyrError` (usage) where there are not more picks than `test`.
 */
export async function writePairs(
  out: string,
  answered: AsyncIterable<AnsweredPrompt>,
  { picks, seed, test, dropped }: PairsToWrite,
): Promise<Record<(typeof SPLITS)[number], number>> {
  if (picks.size <= test) throw tooFew(picks.size, test, countsInWords(dropped));
  const byDraw = [...picks.keys()].map((id) => ({ id, at: hmacUniform(seed, 'test prompts', id) })).sort((a, b) => a.at - b.at);
  const held = new Set(byDraw.slice(0, test).map(({ id }) => id));
  const heldPairs: Pair[] = [];
  async function* training(): AsyncGenerator<Pair> {
    for await (const prompt of answered) {
      const pick = picks.get(prompt.prompt_id);
      if (pick === undefined) continue;
      const pair = pairOf(prompt, pick);
      if (held.has(prompt.prompt_id)) heldPairs.push(pair);
      else yield pair;
    }
  }
  const train_prefs = await writeParquet(join(out, pairsFile('train_prefs')), COLUMNS, training());
  const test_prefs = await writeParquet(join(out, pairsFile('test_prefs')), COLUMNS, heldPairs);
  return { train_prefs, test_prefs };
}

function tooFew(pairs: number, test: number, reasons: string): ZephyrError {
  if (pairs === 0)
    return new ZephyrError(`Cannot make a pair of any prompt${reasons === '' ? '' : `: ${reasons}`}`, {
      hint: 'look at the answers and their ratings, and at the rule in aif',
    });
  return new ZephyrError(`Cannot hold out ${test} prompts: expected fewer than the ${pairs} pairs that there are`, {
    hint: `lower testPrompts of aif.binarize, or of aif where it is delta learning${reasons === '' ? '' : `; dropped: ${reasons}`}`,
  });
}

function pairOf({ prompt, prompt_id, source, completions }: AnsweredPrompt, pick: PickedPair): Pair {
  const answer = (id: string) => {
    const found = completions.find(({ completion_id }) => completion_id === id);
    if (found === undefined) throw new Error(`Cannot write the pair of prompt "${prompt_id}": answer "${id}" is gone`);
    return found;
  };
  const turns = (text: string): Turn[] => [
    { content: prompt, role: 'user' },
    { content: text, role: 'assistant' },
  ];
  const [chosen, rejected] = [answer(pick.chosen_id), answer(pick.rejected_id)];
  return {
    prompt,
    prompt_id,
    chosen: turns(chosen.text),
    rejected: turns(rejected.text),
    messages: turns(chosen.text),
    score_chosen: pick.score_chosen,
    score_rejected: pick.score_rejected,
    chosen_model: chosen.model,
    rejected_model: rejected.model,
    margin: pick.score_chosen - pick.score_rejected,
    chosen_id: pick.chosen_id,
    rejected_id: pick.rejected_id,
    source,
    n_candidates: pick.candidates,
    flags: pick.flags,
  };
}
