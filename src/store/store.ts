import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
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
 * `lfs/ab/cd/<sha256>` large files, mode 0444, shared by all repos; `wanted/<sha256>` empty files, for those of them that a
 * commit is about to hold; `tmp/`, `locks/`, `token`, `secret`.
 */
export interface Store {
  /** absolute */
  readonly root: string;
  /** Immutable facts, by object id; only to spare reads. */
  readonly blobs: Map<string, BlobFacts>;
  readonly trees: Map<string, readonly GitTreeEntry[]>;
}

const ABANDONED_MS = 24 * 3600 * 1000;

export async function openStore(folder: string): Promise<Store> {
  const store = { root: resolve(folder), blobs: new Map(), trees: new Map() };
  for (const name of ['tmp', 'wanted']) {
    await mkdir(join(store.root, name), { recursive: true, mode: 0o700 });
    await sweepTemporary(join(store.root, name));
  }
  return store;
}

/** A crash leaves nothing to repair but temporary files; those of the last day may belong to a living process. */
async function sweepTemporary(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const info = await stat(path).catch(() => undefined);
    if (info !== undefined && Date.now() - info.mtimeMs > ABANDONED_MS) await rm(path, { recursive: true, force: true });
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

/** Taken before any repo's lock, by whatever adds, removes or looks at all repos. */
export function storeLock(store: Store): string {
  return join(store.root, 'locks', 'store');
}
