import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { sha256 } from '../../../base/sha256.ts';
import { datasetCard } from '../../../datasets/card.ts';
import { writeLines } from '../../../datasets/line-file.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Task } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';

const INSTRUCTIONS = 'alpaca_eval.json';
const PROMPTS = 'prompts.jsonl';
const instructions = z.array(z.looseObject({ instruction: z.string().min(1), dataset: z.string() })).min(1);
const ABOUT = 'Instructions of AlpacaEval (tatsu-lab/alpaca_eval), CC BY-NC 4.0: not for commercial use.';

/** Writes the instructions as `generate.py` reads them, in the order of the data set, each by the sha256 of its text. */
export const instructionPrompts: Task = async (context) => {
  const rows = await readInstructions(join(inputFolder(context, 'data'), INSTRUCTIONS));
  const prompts = rows.map(({ instruction, dataset }) => ({
    prompt_id: sha256(instruction).slice(0, 12),
    prompt: instruction,
    set: dataset,
  }));
  const twice = prompts.find(({ prompt_id: id }, index) => prompts.findIndex((other) => other.prompt_id === id) !== index);
  if (twice !== undefined) throw refusal(`it asks "${twice.prompt.slice(0, 60)}" twice`);
  await writeLines(join(context.out, PROMPTS), prompts);
  await writeFile(join(context.out, 'README.md'), datasetCard('AlpacaEval prompts', ABOUT, { default: { test: PROMPTS } }));
  return { metrics: { prompts: prompts.length }, costUsd: 0 };
};

async function readInstructions(path: string): Promise<z.infer<typeof instructions>> {
  try {
    return instructions.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw refusal('there is no such file');
    if (error instanceof SyntaxError) throw refusal(`it is not JSON: ${error.message}`);
    if (error instanceof z.ZodError) throw refusal('expected a list of rows with an instruction and a dataset');
    throw error;
  }
}

function refusal(why: string): ZephyrError {
  return new ZephyrError(`Cannot take the instructions of AlpacaEval from "${INSTRUCTIONS}": ${why}`, {
    exit: 'preflight',
    hint: 'eval.alpaca-eval.data takes a dataset with the files of tatsu-lab/alpaca_eval',
  });
}
