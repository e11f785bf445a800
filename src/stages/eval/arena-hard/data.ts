import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { datasetCard } from '../../../datasets/card.ts';
import { writeLines } from '../../../datasets/line-file.ts';
import { readRows } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Task, TaskContext } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { BASELINES, type Category, FOLDER } from './config.ts';

const question = z.looseObject({
  uid: z.string().min(1),
  category: z.enum(['hard_prompt', 'creative_writing']),
  prompt: z.string().min(1),
});
const answered = z.looseObject({
  uid: z.string(),
  messages: z.array(z.looseObject({ role: z.string(), content: z.unknown() })),
});
const said = z.union([z.string(), z.looseObject({ answer: z.string() }).transform(({ answer }) => answer)]);

export const PROMPTS = 'prompts.jsonl';
/** A prompt with the answer that ours is compared with; null where the baseline's answers have none to it. */
export const arenaPrompt = z.looseObject({
  prompt_id: z.string(),
  prompt: z.string(),
  category: z.string(),
  baseline: z.string().nullable(),
});
const ABOUT = 'Prompts of Arena-Hard v2 with the public answers of its baselines, from arena-hard-auto (Apache-2.0).';

/** Writes the prompts as `generate.py` reads them, each beside the public answer of the baseline of its category. */
export const arenaPrompts: Task = async (context) => {
  const questions = await rowsOf(context, 'question.jsonl', question);
  const baselines = {
    hard_prompt: await answersOf(context, 'hard_prompt'),
    creative_writing: await answersOf(context, 'creative_writing'),
  };
  const prompts = questions.map(({ uid, category, prompt }) => {
    return { prompt_id: uid, prompt, category, baseline: baselines[category].get(uid) ?? null };
  });
  await writeLines(join(context.out, PROMPTS), prompts);
  await writeFile(join(context.out, 'README.md'), datasetCard('Arena-Hard prompts', ABOUT, { default: { test: PROMPTS } }));
  return { metrics: { prompts: prompts.length }, costUsd: 0 };
};

async function answersOf(context: TaskContext, category: Category): Promise<ReadonlyMap<string, string>> {
  const rows = await rowsOf(context, `model_answer/${BASELINES[category]}.jsonl`, answered);
  return new Map(
    rows.map(({ uid, messages }) => [uid, said.parse(messages.findLast(({ role }) => role === 'assistant')?.content)]),
  );
}

async function rowsOf<Row>(context: TaskContext, name: string, schema: z.ZodType<Row>): Promise<Row[]> {
  const file = `${FOLDER}/${name}`;
  const found: Row[] = [];
  try {
    for await (const row of readRows(join(inputFolder(context, 'data'), file))) found.push(schema.parse(row));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw refusal(file, 'there is no such file');
    if (error instanceof z.ZodError) throw refusal(file, `row ${found.length + 1} is not of its form`);
    throw error;
  }
  return found;
}

function refusal(file: string, why: string): ZephyrError {
  return new ZephyrError(`Cannot read "${file}" of Arena-Hard: ${why}`, {
    exit: 'preflight',
    hint: 'eval.arena-hard.data takes a dataset with the files of lmarena-ai/arena-hard-auto',
  });
}
