import { textOf } from './conversation.ts';
import { allFiles, readRows } from './rows.ts';

/** Columns in which benchmarks keep what they ask. */
export const ASKED_COLUMNS = ['prompt', 'question', 'instruction', 'text', 'messages', 'conversations'] as const;

/** Lower case, white space folded: how alignment-handbook v0.3 compared. */
export function normalise(text: string): string {
  return text.toLowerCase().replaceAll(/\s+/g, ' ').trim();
}

/** Normalised prompts of every file of data in a folder, of every config and split. */
export async function listedPrompts(folder: string | undefined): Promise<ReadonlySet<string>> {
  const listed = new Set<string>();
  if (folder === undefined) return listed;
  for (const { path } of await allFiles(folder))
    for await (const row of readRows(path, ASKED_COLUMNS)) {
      const text = ASKED_COLUMNS.map((column) => textOf(row[column])).find((found) => found !== undefined);
      const prompt = normalise(text ?? '');
      if (prompt !== '') listed.add(prompt);
    }
  return listed;
}
