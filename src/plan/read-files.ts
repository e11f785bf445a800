import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { sha256 } from '../base/sha256.ts';

/** sha256 of every file below scripts/train, by its path there, with `/`; compiled Python is left out. */
export async function readStepFiles(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.pyc'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  // small files: to read one costs less than to hand it to a thread
  return Object.fromEntries(paths.map((path) => [relative(folder, path).split(sep).join('/'), sha256(readFileSync(path))]));
}
