import { constants } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Task } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { COMPLETIONS_FILE, RATINGS_FILE } from '../tables.ts';
import { readOrigin } from './origin.ts';
import { publishPairs } from './publish-pairs.ts';
import { answeredPrompts, ratedPrompts } from './rated-prompts.ts';
import { binarizeRule } from './rule.ts';

/**
 * Completions and ratings into pairs, without a single call: how a wrong rule is mended for nothing. Answers without a
 * full score, cut-off and empty answers neither win nor lose, refusals only where they may be right. The published dataset
 * keeps answers and ratings, so that others can choose another rule.
 */
export const binarize: Task = async (context) => {
  const rule = binarizeRule.parse(context.config);
  const [completions, ratings] = [inputFolder(context, 'completions'), inputFolder(context, 'ratings')];
  const { prompts } = context.inputs;
  const folders = { prompts, completions, ratings };
  const named = { ...(prompts === undefined ? {} : { prompts }), completions, ratings };
  const result = await publishPairs(context, rule, {
    rated: () => ratedPrompts(folders),
    answered: () => answeredPrompts(folders),
    dropped: () => ({}),
    origin: await readOrigin(named),
    paid: named,
  });
  for (const [from, file] of [[completions, COMPLETIONS_FILE] as const, [ratings, RATINGS_FILE] as const]) {
    await mkdir(dirname(join(context.out, file)), { recursive: true });
    await copyFile(join(from, file), join(context.out, file), constants.COPYFILE_FICLONE);
  }
  return result;
};
