import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { splitFiles, textOf } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import type { TaskContext } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { type Contamination, contamination } from './contamination.ts';
import { placedRows } from './source-rows.ts';
import type { PromptsConfig } from './step.ts';

/** Columns in which benchmarks keep what they ask. */
const COLUMNS = ['prompt', 'question', 'instruction', 'text', 'messages'] as const;

/** What no prompt may hold. Refuses a benchmark in which nothing is asked: it would clean of nothing. */
export async function readBenchmarks(
  context: TaskContext,
  benchmarks: PromptsConfig['benchmarks'],
  ngram: number,
): Promise<Contamination> {
  const found = contamination(ngram);
  for (const { name, input, split, column } of benchmarks) {
    let items = 0;
    for await (const { at, number, row } of placedRows(await filesOf(inputFolder(context, input), split), column)) {
      if (row === undefined) throw new ZephyrError(`Cannot read benchmark "${name}", ${at}: expected a JSON object`);
      const text = (column === null ? COLUMNS : [column]).map((each) => textOf(row[each])).find((each) => each !== undefined);
      if (text === undefined || text.trim() === '') continue;
      items += 1;
      found.add(name, number, text);
    }
    if (items === 0)
      throw new ZephyrError(`Cannot read benchmark "${name}": expected text in ${column ?? `one of ${COLUMNS.join(', ')}`}`, {
        hint: 'Name its column in aif.prompts.decontaminate.',
      });
  }
  return found;
}

async function filesOf(folder: string, split: string | null): Promise<string[]> {
  if (split !== null) return splitFiles(folder, split);
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.(parquet|jsonl)$/.test(name));
  return names.sort().map((name) => join(folder, name));
}
