import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { Json } from '../../../base/canonical-json.ts';
import { hmacUniform } from '../../../base/hmac-choice.ts';
import { writeParquet } from '../../../base/parquet.ts';
import { ZephyrError } from '../../../errors.ts';
import { datasetCard } from '../../dataset-card.ts';
import { counter } from '../../rows.ts';
import { COMPLETIONS_FILE, PAIR_COLUMNS, pairsFile, RATINGS_FILE } from '../tables.ts';
import { type Candidate, type PairRule, pickPair } from './pick-pair.ts';

export const binarizeFields = z.object({
  seed: z.int(),
  score: z.enum(['overall', 'mean_aspects']),
  rejected: z.enum(['random_other', 'random_lower', 'lowest']),
  ties: z.enum(['keep', 'drop']),
  min_margin: z.number(),
  min_chosen: z.number(),
  test_prompts: z.int(),
});

interface Turn {
  readonly content: string;
  readonly role: 'user' | 'assistant';
}
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
};

/** Picks pairs prompt by prompt and counts what is dropped, by reason. */
export function pairing(rule: PairRule) {
  const drops = counter();
  const pairs: Pair[] = [];
  const models = counter();
  let longer = 0;
  return {
    drops,
    pairs,
    add(prompt: { readonly prompt_id: string; readonly prompt: string }, candidates: readonly Candidate[]): void {
      const picked = pickPair(candidates, rule, prompt.prompt_id);
      if (!picked.ok) {
        drops.add(picked.reason);
        return;
      }
      const { chosen, rejected } = picked;
      const turns = (text: string): Turn[] => [
        { content: prompt.prompt, role: 'user' },
        { content: text, role: 'assistant' },
      ];
      models.add(chosen.model);
      longer += chosen.text.length > rejected.text.length ? 1 : 0;
      pairs.push({
        prompt: prompt.prompt,
        prompt_id: prompt.prompt_id,
        chosen: turns(chosen.text),
        rejected: turns(rejected.text),
        messages: turns(chosen.text),
        score_chosen: chosen.score,
        score_rejected: rejected.score,
        chosen_model: chosen.model,
        rejected_model: rejected.model,
        margin: chosen.score - rejected.score,
      });
    },
    metrics: (): Record<string, Json> => ({
      pairs: pairs.length,
      dropped: drops.counts(),
      chosen_by_model: models.counts(),
      chosen_longer: pairs.length === 0 ? 0 : longer / pairs.length,
      mean_margin: pairs.length === 0 ? 0 : pairs.reduce((sum, { margin }) => sum + margin, 0) / pairs.length,
    }),
  };
}

/**
 * Writes the splits `train_prefs` and `test_prefs`, the report, and the card of a folder that holds completions and ratings
 * too. `test` prompts are held out, drawn by seed and prompt alone.
 */
export async function writePairs(
  out: string,
  pairs: readonly Pair[],
  seed: number,
  test: number,
  report: Readonly<Record<string, Json>>,
): Promise<Record<string, Json>> {
  if (pairs.length <= test) {
    throw new ZephyrError(`Cannot hold out ${test} prompts: there are only ${pairs.length} pairs`, {
      hint: `Lower aif.binarize.testPrompts. Dropped: ${JSON.stringify(report.dropped ?? {})}`,
    });
  }
  const byDraw = [...pairs].sort(
    (a, b) => hmacUniform(seed, 'test prompts', a.prompt_id) - hmacUniform(seed, 'test prompts', b.prompt_id),
  );
  const held = new Set(byDraw.slice(0, test).map(({ prompt_id }) => prompt_id));
  const train = pairs.filter(({ prompt_id }) => !held.has(prompt_id));
  await writeParquet(join(out, pairsFile('train_prefs')), PAIR_COLUMNS, train);
  await writeParquet(
    join(out, pairsFile('test_prefs')),
    PAIR_COLUMNS,
    pairs.filter(({ prompt_id }) => held.has(prompt_id)),
  );
  const metrics = { ...report, train_prefs: train.length, test_prefs: held.size };
  await writeFile(join(out, 'report.json'), `${JSON.stringify(metrics, undefined, 2)}\n`);
  const card = datasetCard(
    'Preferences',
    'Pairs of a better and a worse answer (`train_prefs`, `test_prefs`), with the completions and the ratings behind them.',
    {
      default: { train_prefs: pairsFile('train_prefs'), test_prefs: pairsFile('test_prefs') },
      completions: { train: COMPLETIONS_FILE },
      ratings: { train: RATINGS_FILE },
    },
  );
  await writeFile(join(out, 'README.md'), card);
  return metrics;
}
