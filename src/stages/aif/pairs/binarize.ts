import { constants } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readParquet } from '../../../base/parquet.ts';
import { counter } from '../../rows.ts';
import type { Task } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { byPrompt, COMPLETIONS_FILE, type Completion, RATINGS_FILE, type Rating } from '../tables.ts';
import { binarizeFields, pairing, writePairs } from './pairs.ts';
import type { Candidate } from './pick-pair.ts';
import { scoreOf } from './scores.ts';

/**
 * Completions and ratings into pairs, without a single call: how a wrong rule is mended for nothing. Answers without a
 * full score, refusals, cut-off and empty answers neither win nor lose. Ratings and completions are joined by id, never
 * by position. The published dataset keeps both, so that others can choose another rule.
 */
export const binarize: Task = async (context) => {
  const { test_prompts, score, ...rule } = binarizeFields.parse(context.config);
  const [completions, ratings] = [inputFolder(context, 'completions'), inputFolder(context, 'ratings')];
  const byAnswer = await ratingsByAnswer(join(ratings, RATINGS_FILE));
  const aspects = [...new Set([...byAnswer.values()].flat().map(({ aspect }) => aspect))].filter(
    (aspect) => aspect !== 'overall',
  );
  const made = pairing(rule);
  const leftOut = counter();
  let prompts = 0;

  for await (const group of byPrompt<Completion>(join(completions, COMPLETIONS_FILE))) {
    prompts += 1;
    const candidates: Candidate[] = [];
    for (const { completion_id, model, text, flags } of group) {
      const value = scoreOf(byAnswer.get(completion_id) ?? [], score, aspects);
      if (flags[0] !== undefined) leftOut.add(flags[0]);
      else if (value === null) leftOut.add('no full score');
      else candidates.push({ id: completion_id, model, text, score: value });
    }
    made.add(group[0] as Completion, candidates);
  }
  for (const [from, file] of [[completions, COMPLETIONS_FILE] as const, [ratings, RATINGS_FILE] as const]) {
    await mkdir(dirname(join(context.out, file)), { recursive: true });
    await copyFile(join(from, file), join(context.out, file), constants.COPYFILE_FICLONE);
  }
  const metrics = await writePairs(context.out, made.pairs, rule.seed, test_prompts, {
    prompts,
    ...made.metrics(),
    answers_left_out: leftOut.counts(),
  });
  return { metrics, costUsd: 0 };
};

async function ratingsByAnswer(path: string): Promise<Map<string, Rating[]>> {
  const found = new Map<string, Rating[]>();
  for await (const row of readParquet(path, ['completion_id', 'aspect', 'rating', 'na', 'status'])) {
    const rating = row as unknown as Rating;
    const own = found.get(rating.completion_id);
    if (own === undefined) found.set(rating.completion_id, [rating]);
    else own.push(rating);
  }
  return found;
}
