import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256File } from '../base/sha256.ts';
import type { FileDigest } from '../model/content-digest.ts';

/** Every regular file below a folder with its size and hash, sorted by path (`/` between the parts). */
export async function digestFolder(folder: string, signal?: AbortSignal): Promise<FileDigest[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const digests: FileDigest[] = [];
  for (const path of paths.sort()) {
    digests.push({ path: path.slice(folder.length + 1), size: (await stat(path)).size, sha256: await sha256File(path, signal) });
  }
  return digests;
}
