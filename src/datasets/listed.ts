import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readRows, textOf } from './rows.ts';

/** Columns in which benchmarks keep what they ask. */
const COLUMNS = ['prompt', 'question', 'instruction', 'text', 'messages'] as const;

/** Lower case, white space folded: how alignment-handbook v0.3 compared. */
export function normalise(text: string): string {
  return text.toLowerCase().replaceAll(/\s+/g, ' ').trim();
}

/** Normalised prompts of every Parquet and JSON Lines file in a folder. */
export async function listedPrompts(folder: string | undefined): Promise<ReadonlySet<string>> {
  const listed = new Set<string>();
  if (folder === undefined) return listed;
  for (const name of (await readdir(folder, { recursive: true })).sort()) {
    if (!/\.(parquet|jsonl)$/.test(name)) continue;
    for await (const row of readRows(join(folder, name))) {
      const text = COLUMNS.map((column) => textOf(row[column])).find((found) => found !== undefined);
      const prompt = normalise(text ?? '');
      if (prompt !== '') listed.add(prompt);
    }
  }
  return listed;
}
