import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readParquet } from '../../src/datasets/parquet.ts';
import { makeQuestionBank } from '../../src/practice/question-bank.ts';
import type { GenerateConfig } from '../../src/stages/aif/answers/generate.ts';
import { COMPLETIONS_FILE, type Completion, PROMPTS_FILE, type Prompt } from '../../src/stages/aif/tables.ts';
import { callFields, type Workshop } from './task.ts';

/** Questions that the practice teacher of seed 7 can answer. */
export const questions = makeQuestionBank(7)
  .phrasings.filter(({ heldOut }) => !heldOut)
  .map(({ text }) => text);

export const promptsOf = (count: number, source = 'practice'): Prompt[] =>
  Array.from({ length: count }, (_, n) => ({
    prompt_id: `p${String(n).padStart(4, '0')}`,
    prompt: questions[n * 3] ?? '',
    source,
    safety: false,
    copies: 1,
  }));

/** A folder with these files, of which the values are rows of JSON Lines. */
export async function folderWith(shop: Workshop, files: Readonly<Record<string, readonly object[]>>): Promise<string> {
  const folder = join(shop.folder, randomUUID());
  await mkdir(folder);
  for (const [name, rows] of Object.entries(files))
    await writeFile(join(folder, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return folder;
}
export const promptsFolder = (shop: Workshop, prompts: readonly Prompt[]) => folderWith(shop, { [PROMPTS_FILE]: prompts });

export const asked = (persona: string, more: object = {}) => ({
  id: persona,
  weight: 1,
  share: null,
  call: callFields(`practice-${persona}`),
  ...more,
});
export const POOL = ['direct', 'rambling', 'evasive', 'careless', 'mixed'].map((persona) => asked(persona));

export const GENERATE: GenerateConfig = {
  version: 3,
  seed: 3,
  pool: POOL,
  answers_per_prompt: 4,
  principles: { default: { helpfulness: 1, honesty: 1 } },
};

export async function completionsIn(out: string): Promise<Completion[]> {
  const rows: Completion[] = [];
  for await (const row of readParquet(join(out, COMPLETIONS_FILE))) rows.push(row as unknown as Completion);
  return rows;
}
