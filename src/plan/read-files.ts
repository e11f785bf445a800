import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { sha256File } from '../base/sha256.ts';

/** sha256 of every file below scripts/train, by its path there, with `/`; compiled Python is left out. */
export async function readStepFiles(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.pyc'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const digests = await Promise.all(
    paths.map(async (path) => [relative(folder, path).split(sep).join('/'), await sha256File(path)]),
  );
  return Object.fromEntries(digests);
}
