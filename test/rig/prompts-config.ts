import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PromptsConfig } from '../../src/stages/aif/prompts/step.ts';
import { eachPrompt, type Prompt } from '../../src/stages/aif/tables.ts';

/** One source, the input `source-1`, of which every row has a column `prompt`. */
export const SOURCE: PromptsConfig['sources'][number] = {
  name: 'one',
  input: 'source-1',
  split: 'train_gen',
  column: 'prompt',
  list: [],
  rows: null,
  licence: null,
  safety: false,
};

export const INTAKE: PromptsConfig = {
  version: 2,
  seed: 5,
  sources: [SOURCE],
  max_characters: 100,
  max_tokens: 1000,
  near_duplicates: 'report',
  benchmarks: [],
  ngram: 13,
  contaminated: 'drop',
  drop_sources: ['truthful_qa'],
  skip_invalid: false,
};

/** Rows of a JSON Lines file; none where there is no file. */
export async function lines(folder: string, name: string): Promise<Record<string, unknown>[]> {
  const text = existsSync(join(folder, name)) ? await readFile(join(folder, name), 'utf8') : '';
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** So many words in a row that no other range of numbers has. */
export const wordy = (count: number, from = 0) => Array.from({ length: count }, (_, n) => `word${from + n}`).join(' ');

/** The prompts that a step has written into a folder. */
export async function readPrompts(folder: string): Promise<Prompt[]> {
  const prompts: Prompt[] = [];
  for await (const prompt of eachPrompt(folder)) prompts.push(prompt);
  return prompts;
}
