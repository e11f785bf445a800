import { join } from 'node:path';
import { readParquet } from '../../../datasets/parquet.ts';
import { familyOverlap } from '../../../judging/families.ts';
import type { Task, TaskContext } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { COMPLETIONS_FILE } from '../tables.ts';
import { judgeByTeachers } from './by-teachers.ts';
import { type JudgeConfig, judgeConfig } from './config.ts';
import { rewardRows } from './rewards.ts';
import { writeRatings } from './write-ratings.ts';

/**
 * Judges the answers to each prompt: teachers by the requests of `requestMaker`, or a reward model whose job has run before.
 * What cannot be read has no rating, with the reason; none is ever made up.
 */
export const judge: Task = async (context) => {
  const config = judgeConfig.parse(context.config);
  const path = join(inputFolder(context, 'completions'), COMPLETIONS_FILE);
  const families = await warnOfFamilies(context, config, path);
  if (config.by === 'teachers') return judgeByTeachers(context, config, path, families);
  const rowsOf = await rewardRows(context, config);
  const report = await writeRatings(context.out, path, {
    about: `Rewards by ${config.model}.`,
    rowsOf: async (answers) => rowsOf(answers),
    more: () => ({ judge_family_overlap: families }),
  });
  return { metrics: report, costUsd: 0 };
};

/** Families that judge their own kind, for the report; said before anything is paid. */
async function warnOfFamilies(context: TaskContext, config: JudgeConfig, path: string): Promise<string[]> {
  const judges = config.by === 'teachers' ? config.judges.map(({ model }) => model) : [config.model];
  const models = new Set<string>();
  for await (const { model } of readParquet(path, ['model'])) models.add(String(model));
  const families = familyOverlap(judges, models);
  if (families.length > 0)
    context.note(`The judge may favour its own family: ${families.join(', ')} both judges and answers; see mean_by_model`);
  return families;
}
