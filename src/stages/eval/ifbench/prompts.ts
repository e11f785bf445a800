import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { datasetCard } from '../../../datasets/card.ts';
import { writeLines } from '../../../datasets/line-file.ts';
import { readSplit } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Task } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import type { IfbenchPromptsConfig } from './config.ts';

const row = z
  .looseObject({
    key: z.union([z.string().min(1), z.int()]).transform(String),
    prompt: z.string().min(1),
    instruction_id_list: z.array(z.string()).min(1),
    kwargs: z.array(z.record(z.string(), z.unknown())),
  })
  .refine(({ instruction_id_list: ids, kwargs }) => ids.length === kwargs.length, {
    path: ['kwargs'],
    message: 'expected one object for each instruction',
  });
type IfbenchRow = z.infer<typeof row>;

const PROMPTS = 'prompts.jsonl';
const ABOUT = 'Prompts of IFBench (Pyatkin et al. 2025, ODC-BY) with the instructions that their answers are checked for.';

/** Writes `prompts.jsonl`, rows as `generate.py` reads them, and beside each prompt what `ifbench_score.py` checks. */
export const getPrompts: Task = async (context) => {
  const { limit } = context.config as IfbenchPromptsConfig;
  const found = new Map<string, object>();
  let number = 0;
  for await (const read of readSplit(inputFolder(context, 'data'), { split: 'train' })) {
    if (number === limit) break;
    number += 1;
    const { key, ...prompt } = parsed(read, number);
    if (found.has(key)) throw unusable(number, `its key "${key}" is that of a row before it`);
    found.set(key, { prompt_id: key, ...prompt });
  }
  await writeLines(join(context.out, PROMPTS), [...found.values()]);
  await writeFile(join(context.out, 'README.md'), datasetCard('IFBench', ABOUT, { default: { test: PROMPTS } }));
  return { metrics: { prompts: found.size }, costUsd: 0 };
};

/** Only what is used, and of the arguments those that are meant. */
function parsed(read: object, number: number): Pick<IfbenchRow, 'key' | 'prompt' | 'instruction_id_list' | 'kwargs'> {
  const { success, data, error } = row.safeParse(read);
  if (!success) {
    const [issue] = error.issues;
    throw unusable(number, `${issue?.path.join('.')}: ${issue?.message}`);
  }
  const { key, prompt, instruction_id_list, kwargs } = data;
  const meant = kwargs.map((each) => Object.fromEntries(Object.entries(each).filter(([, value]) => value !== null)));
  return { key, prompt, instruction_id_list, kwargs: meant };
}

function unusable(number: number, why: string): ZephyrError {
  return new ZephyrError(`Cannot use row ${number} of the data for IFBench: ${why}`, {
    exit: 'preflight',
    hint: 'rows have key, prompt, instruction_id_list and kwargs, as in allenai/IFBench_test; see eval.ifbench.data',
  });
}
