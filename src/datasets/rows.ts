import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { objectIn } from '../base/ndjson.ts';
import { ZephyrError } from '../errors.ts';
import { type Row, readParquet } from './parquet.ts';

/** H4's shape of a conversation: a list of structs, `content` first. */
export const MESSAGES = { list: ['content', 'role'] } as const;

/** The files of a split in a folder. Throws a `ZephyrError` (usage) when it has none. */
export async function splitFiles(folder: string, split: string): Promise<string[]> {
  const all = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory() && /\.(parquet|jsonl)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const found = ofSplit(all, split);
  if (found.length > 0) return found;
  const names = [...new Set(all.map((path) => relative(folder, path)))].slice(0, 10).join(', ');
  throw new ZephyrError(`Cannot find split "${split}": expected files such as data/${split}-00000-of-00001.parquet`, {
    hint: `The dataset has: ${names === '' ? 'no Parquet and no JSON Lines file' : names}`,
  });
}

/**
 * Of these paths the files of a split, as `datasets` finds them: `data/SPLIT-00000-of-00001.parquet`, `SPLIT.jsonl` and the
 * like. Files without any split in their names, as those of openbmb/UltraFeedback, are `train`.
 */
export function ofSplit(paths: readonly string[], split: string): string[] {
  const all = paths.filter((path) => /\.(parquet|jsonl)$/.test(path));
  const named = all.filter(
    (path) => basename(path).startsWith(split) && /^([-.]\d.*)?\.(parquet|jsonl)$/.test(basename(path).slice(split.length)),
  );
  return named.length === 0 && split === 'train' && !all.some(namesSplit) ? all : named;
}

/** A file of some split by its name, as `datasets` looks for them: a shard, or one of the usual words. */
function namesSplit(path: string): boolean {
  return /-\d{5}-of-\d{5}\.|^(train|test|validation|valid|dev|eval)([._-]|$)/.test(basename(path));
}

export async function* readSplit(folder: string, split: string): AsyncGenerator<Row> {
  for (const path of await splitFiles(folder, split)) yield* readRows(path);
}

/** Rows of one Parquet or JSON Lines file. */
export async function* readRows(path: string): AsyncGenerator<Row> {
  if (path.endsWith('.parquet')) {
    yield* readParquet(path);
    return;
  }
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1;
    if (text.trim() === '') continue;
    const row = objectIn(text);
    if (row === undefined)
      throw new ZephyrError(`Cannot read "${basename(path)}", line ${line}: expected a JSON object`, { exit: 'usage' });
    yield row;
  }
}

/** A column that holds a text, or a conversation of which the first user turn counts. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const turn = (value as { role?: unknown; content?: unknown }[]).find((message) => message?.role === 'user');
  return typeof turn?.content === 'string' ? turn.content : undefined;
}
