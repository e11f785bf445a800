import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeFolder } from '../base/atomic-write.ts';
import type { RepoId } from '../model/artifact.ts';
import type { GitTreeEntry } from './git-object.ts';
import type { LfsPointer } from './lfs-pointer.ts';

/** What is known of a blob without its bytes; never changes, since the id is the content's hash. */
export interface BlobFacts {
  /** bytes of the blob itself: of a large file, of its pointer */
  readonly size: number;
  readonly lfs: LfsPointer | undefined;
}

/**
 * One folder that holds everything:
 * `repos/{models,datasets}/NS/NAME` a bare git repository with loose objects only, `repo.json` and `journals/`;
 * `lfs/ab/cd/<sha256>` large files, mode 0444, shared by all repos; of those, as empty files, `wanted/<sha256>` what a commit
 * is about to hold, `dropped/<sha256>` what may be held no more, `holders/` who leads to each; `renames/`, `tmp/`,
 * `locks/`, `token`, `secret`.
 */
export interface Store {
  /** absolute */
  readonly root: string;
  /** Facts that never change, by object id, kept to spare reads. */
  readonly blobs: Map<string, BlobFacts>;
  readonly trees: Map<string, readonly GitTreeEntry[]>;
  /** of commits: how many there are from it back to the first */
  readonly counts: Map<string, number>;
}

const ABANDONED_MS = 24 * 3600 * 1000;

export async function openStore(folder: string): Promise<Store> {
  const store = { root: resolve(folder), blobs: new Map(), trees: new Map(), counts: new Map() };
  for (const name of ['tmp', 'wanted', 'dropped']) await makeFolder(join(store.root, name), 0o700);
  await sweepOld(join(store.root, 'tmp'), (path) => rm(path, { recursive: true, force: true }));
  // a file that was wanted and never committed is marked as dropped, so that `reclaim` checks it
  await sweepOld(join(store.root, 'wanted'), (path, name) => rename(path, join(store.root, 'dropped', name)));
  return store;
}

/** A crash leaves nothing to repair but temporary files; those of the last day may belong to a living process. */
async function sweepOld(folder: string, sweep: (path: string, name: string) => Promise<void>): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const info = await stat(path).catch(() => undefined);
    // two processes may sweep at the same time
    if (info !== undefined && Date.now() - info.mtimeMs > ABANDONED_MS) await sweep(path, name).catch(() => undefined);
  }
}

export function repoFolder(store: Store, { type, name }: RepoId): string {
  return join(store.root, 'repos', `${type}s`, ...name.split('/'));
}

export function lfsFile(store: Store, sha256: string): string {
  return join(store.root, 'lfs', sha256.slice(0, 2), sha256.slice(2, 4), sha256);
}

/** `--` cannot stand in a repo's name, so no two repos share a lock. */
export function repoLock(store: Store, { type, name }: RepoId): string {
  return join(store.root, 'locks', `${type}s--${name.replace('/', '--')}`);
}

/** The lock of one large file, for a caller that checks whether it is stored and for one that deletes it; taken last of all locks. */
export function largeLock(store: Store, sha256: string): string {
  return join(store.root, 'locks', `large-${sha256}`);
}

/** The lock that a caller takes, before that of any repo, to add or remove a repo or to read all of them. */
export function storeLock(store: Store): string {
  return join(store.root, 'locks', 'store');
}
