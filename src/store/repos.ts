import { readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../base/atomic-write.ts';
import type { RepoId, RepoType } from '../model/artifact.ts';
import { markDropped } from './dropped.ts';
import { explainingFullDisk, mkdirDurably, place, placeDurably, temporaryPath } from './durable.ts';
import { encodeCommit } from './git-object.ts';
import { addHolder, holderName, holderNames, removeHolder, setComplete, setIncomplete } from './holders.ts';
import { withLock } from './lock.ts';
import { isFilePath, isRepoName } from './names.ts';
import { syncTouched, writeObject } from './objects.ts';
import { listRefs, writeRef } from './refs.ts';
import { rememberRename } from './renames.ts';
import { repoFolder, repoLock, type Store, storeLock } from './store.ts';
import { pathConflict, writeTree } from './tree.ts';

export const AUTHOR = 'zephyr <zephyr@localhost>';

/** The content of `repo.json`. It is written last, so a folder that has one is a whole repo. */
export interface RepoRecord {
  readonly visibility: 'private' | 'public';
  /** ISO 8601 */
  readonly createdAt: string;
  /** as a client has set it; the one account has access in any case */
  readonly gated?: 'auto' | 'manual';
}

const RECORD = 'repo.json';
const TYPES: readonly RepoType[] = ['model', 'dataset'];

export async function readRepo(store: Store, id: RepoId): Promise<RepoRecord | undefined> {
  if (!isRepoName(id.name)) return undefined;
  try {
    // read synchronously: every read of a file asks for it, and one line takes less time than handing it to a thread
    return JSON.parse(readFileSync(join(repoFolder(store, id), RECORD), 'utf8')) as RepoRecord;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

export async function writeRepo(store: Store, id: RepoId, record: RepoRecord): Promise<void> {
  await placeDurably(store, join(repoFolder(store, id), RECORD), JSON.stringify(record));
}

/** Creates a repo, private, with a first commit on `main` that holds these files, small ones, or none. */
export async function createRepo(
  store: Store,
  id: RepoId,
  visibility: 'private' | 'public' = 'private',
  files: ReadonlyMap<string, Uint8Array> = new Map(),
): Promise<'created' | 'exists' | 'bad-name' | 'bad-path'> {
  if (!isRepoName(id.name)) return 'bad-name';
  if (![...files.keys()].every(isFilePath) || pathConflict(files) !== undefined) return 'bad-path';
  if ((await readRepo(store, id)) !== undefined) return 'exists';
  return explainingFullDisk(store, () =>
    withLock(storeLock(store), async () => {
      if ((await readRepo(store, id)) !== undefined) return 'exists';
      // the store has no repo yet, so the index of holders is complete
      if ((await readdir(join(store.root, 'repos')).catch(() => [])).length === 0) await setComplete(store);
      try {
        await layRepo(store, id, visibility, files);
      } catch (error) {
        await rm(repoFolder(store, id), { recursive: true, force: true });
        throw error;
      }
      return 'created';
    }),
  );
}

async function layRepo(
  store: Store,
  id: RepoId,
  visibility: 'private' | 'public',
  files: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const folder = repoFolder(store, id);
  const now = new Date();
  await mkdirDurably(join(folder, 'refs', 'heads'));
  await mkdir(join(folder, 'refs', 'tags'), { recursive: true });
  await place(store, join(folder, 'HEAD'), 'ref: refs/heads/main\n');
  // git gc would pack the objects, and this store reads loose ones only
  await place(store, join(folder, 'config'), '[core]\n\trepositoryformatversion = 0\n\tbare = true\n[gc]\n\tauto = 0\n');
  const touched = new Set<string>();
  const blobs = new Map<string, string>();
  for (const [path, content] of files) blobs.set(path, await writeObject(store, folder, { kind: 'blob', content }, touched));
  const tree = await writeTree(store, folder, blobs, touched);
  const first = { tree, parents: [], author: AUTHOR, time: Math.floor(now.getTime() / 1000), message: 'initial commit\n' };
  const commit = await writeObject(store, folder, { kind: 'commit', content: encodeCommit(first) }, touched);
  await syncTouched(touched);
  await writeRef(store, folder, { kind: 'heads', name: 'main' }, commit);
  await writeRepo(store, id, { visibility, createdAt: now.toISOString() });
}

/** All repos, models first, sorted by name. */
export async function listRepos(store: Store): Promise<RepoId[]> {
  const found: RepoId[] = [];
  for (const type of TYPES) {
    const root = join(store.root, 'repos', `${type}s`);
    for (const space of (await readdir(root).catch(() => [])).sort()) {
      for (const name of (await readdir(join(root, space)).catch(() => [])).sort()) {
        const id = { type, name: `${space}/${name}` };
        if ((await readRepo(store, id)) !== undefined) found.push(id);
      }
    }
  }
  return found;
}

/**
 * Removes a repo with its history; its large files stay until a `prune`. With `at`, only one that has come no further than
 * this commit on `main`. `false` when there was none.
 */
export async function deleteRepo(store: Store, id: RepoId, at?: string): Promise<boolean> {
  return withLock(storeLock(store), () =>
    withLock(repoLock(store, id), async () => {
      if ((await readRepo(store, id)) === undefined) return false;
      const folder = repoFolder(store, id);
      const refs = { ...(await listRefs(folder, 'tags')), ...(await listRefs(folder, 'heads')) };
      if (at !== undefined && JSON.stringify(refs) !== JSON.stringify({ main: at })) return false;
      const names = await holderNames(store, id);
      // a full disk may have no room for the mark
      await markAll(store, names).catch(() => setIncomplete(store));
      const doomed = temporaryPath(store);
      await rename(folder, doomed);
      await syncFolder(dirname(folder));
      for (const name of names) await removeHolder(store, name);
      await rm(doomed, { recursive: true, force: true });
      return true;
    }),
  );
}

async function markAll(store: Store, names: readonly string[]): Promise<void> {
  for (const sha256 of new Set(names.map((name) => name.slice(0, 64)))) await markDropped(store, sha256);
}

/** Renames a repo. */
export async function moveRepo(store: Store, from: RepoId, to: RepoId): Promise<'moved' | 'no-repo' | 'exists' | 'bad-name'> {
  if (!isRepoName(to.name) || from.type !== to.type) return 'bad-name';
  return withLock(storeLock(store), () =>
    withLock(repoLock(store, from), async () => {
      if ((await readRepo(store, from)) === undefined) return 'no-repo';
      if ((await readRepo(store, to)) !== undefined) return 'exists';
      const target = repoFolder(store, to);
      const old = await enterNewName(store, from, to);
      await mkdirDurably(dirname(target));
      await rename(repoFolder(store, from), target);
      await syncFolder(dirname(target));
      await rememberRename(store, from, to);
      for (const name of old) await removeHolder(store, name);
      return 'moved';
    }),
  );
}

/** Enters the new name of a repo beside the old one, and returns the holders with the old name. */
async function enterNewName(store: Store, from: RepoId, to: RepoId): Promise<string[]> {
  const names = await holderNames(store, from);
  const [before, after] = [from, to].map((repo) => holderName('', { repo, run: undefined }));
  const touched = new Set<string>();
  for (const name of names) await addHolder(store, name.replace(before ?? '', after ?? ''), touched);
  await syncTouched(touched);
  return names;
}
