import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Place } from './zephyr.ts';

/** The large files in the store of a place: by name they are read-only and stand for their content. */
export async function storedFiles(place: Place): Promise<string[]> {
  const folder = join(place.home, 'hub', 'lfs');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** What a failing disk or a careless hand does: other bytes under the same name. */
export async function damage(path: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  const bytes = await readFile(path);
  await chmod(path, 0o644);
  await writeFile(path, change(bytes));
  await chmod(path, 0o444);
}

/** One bit of the last byte. */
export function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
  return copy;
}
