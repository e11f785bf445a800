import { readdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isAlive, ownMark } from '../store/process-mark.ts';

/**
 * Where a file is brought to piece by piece, beside the place that it will have. The name holds the mark of its process, so
 * that two at once do not write to one; what a dead process left is taken over.
 */
export async function partOf(path: string): Promise<string> {
  const own = `${path}.${ownMark()}.part`;
  const begun = (await readdir(dirname(path))).filter((name) => name.startsWith(`${basename(path)}.`) && name.endsWith('.part'));
  for (const name of begun) {
    const mark = name.slice(basename(path).length + 1, -'.part'.length);
    if (join(dirname(path), name) === own) return own;
    if (isAlive(mark)) continue;
    await rename(join(dirname(path), name), own).catch(() => undefined);
    return own;
  }
  return own;
}
