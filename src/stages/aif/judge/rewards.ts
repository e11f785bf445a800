import { join } from 'node:path';
import * as z from 'zod';
import { readRows } from '../../../datasets/rows.ts';
import { isJudged } from '../../../judging/judge-requests.ts';
import { NOT_ASKED_HERE, type Rating } from '../../../judging/rating.ts';
import { injectionsIn } from '../../../judging/text-marks.ts';
import type { TaskContext } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import type { Completion } from '../tables.ts';
import type { RewardConfig } from './config.ts';

/** A line of a reward job's `rewards.jsonl`; null: the answer is longer than the model was to read. */
const rewardLine = z.looseObject({ completion_id: z.string(), reward: z.number().nullable() });

/** Rows for the answers to a prompt, from what a reward job wrote; no call is made. */
export async function rewardRows(
  context: TaskContext,
  { model }: RewardConfig,
): Promise<(answers: readonly Completion[]) => Rating[]> {
  const rewards = new Map<string, number | null>();
  for await (const row of readRows(join(inputFolder(context, 'rewards'), 'rewards.jsonl'))) {
    const { completion_id, reward } = rewardLine.parse(row);
    rewards.set(completion_id, reward);
  }
  return (answers) =>
    answers.filter(isJudged).map(({ completion_id, prompt_id, text }): Rating => {
      const value = rewards.get(completion_id);
      return {
        completion_id,
        prompt_id,
        aspect: 'reward',
        judge: model,
        ...NOT_ASKED_HERE,
        rating: null,
        value: value ?? null,
        na: false,
        injection: injectionsIn(text).length > 0,
        status: value === undefined ? 'missing' : value === null ? 'invalid' : 'ok',
      };
    });
}
