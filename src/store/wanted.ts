import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ownMark } from './process-mark.ts';
import type { Store } from './store.ts';

/** What a crash leaves is swept after a day, as temporary files are: an upload may wait a day for its commit. */
function markOf(store: Store, sha256: string): string {
  return join(store.root, 'wanted', sha256);
}

/** Says, before looking whether the large file is stored, that a commit is to hold it: no `prune` takes it from now on. */
export async function want(store: Store, sha256: string): Promise<void> {
  const path = markOf(store, sha256);
  // on a full disk the name alone has to do
  await writeFile(path, ownMark()).catch(() => writeFile(path, ''));
}

export async function isWanted(store: Store, sha256: string): Promise<boolean> {
  return (await stat(markOf(store, sha256)).catch(() => undefined)) !== undefined;
}

/** The commit is there and holds the file, or will never be. */
export async function wantNoMore(store: Store, sha256: string): Promise<void> {
  await rm(markOf(store, sha256), { force: true });
}
