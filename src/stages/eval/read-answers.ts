import { join } from 'node:path';
import * as z from 'zod';
import { readRows } from '../../datasets/rows.ts';
import { ZephyrError } from '../../errors.ts';

const modelAnswer = z.looseObject({
  prompt_id: z.string(),
  sample: z.int(),
  text: z.string(),
  finish_reason: z.string(),
  tokens: z.int(),
});
/** A line of a generate job's `completions.jsonl`. */
export type ModelAnswer = z.infer<typeof modelAnswer>;

/** The first answer to each of these prompts, by id, from the folder of an answers step. Throws (jobFailed) where one is missing. */
export async function readAnswers(folder: string, promptIds: readonly string[]): Promise<ReadonlyMap<string, ModelAnswer>> {
  const found = new Map<string, ModelAnswer>();
  for await (const row of readRows(join(folder, 'completions.jsonl'))) {
    const answer = modelAnswer.parse(row);
    if (answer.sample === 0) found.set(answer.prompt_id, answer);
  }
  const missing = promptIds.find((id) => !found.has(id));
  if (missing === undefined) return found;
  throw new ZephyrError(`Cannot score the answers: there is none to prompt "${missing}"`, { exit: 'jobFailed' });
}
