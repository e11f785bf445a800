import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ownMark } from './process-mark.ts';
import type { Store } from './store.ts';

/** The path of a mark. The mark of a crashed process is swept after a day, since a client may commit that long after its upload. */
function markOf(store: Store, sha256: string): string {
  return join(store.root, 'wanted', sha256);
}

/** Says, before looking whether the large file is stored, that a commit is to hold it: no `prune` takes it from now on. */
export async function want(store: Store, sha256: string): Promise<void> {
  const path = markOf(store, sha256);
  // a full disk has room for the name but not for the content
  await writeFile(path, ownMark()).catch(() => writeFile(path, ''));
}

export async function isWanted(store: Store, sha256: string): Promise<boolean> {
  return (await stat(markOf(store, sha256)).catch(() => undefined)) !== undefined;
}

/** Takes the mark back: the commit now holds the file, or will never be made. */
export async function wantNoMore(store: Store, sha256: string): Promise<void> {
  await rm(markOf(store, sha256), { force: true });
}
