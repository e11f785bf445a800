import { open, stat } from 'node:fs/promises';
import type { RepoId } from '../model/artifact.ts';
import { markDropped } from './dropped.ts';
import { explainingFullDisk } from './durable.ts';
import { encodeCommit } from './git-object.ts';
import { addHolder, holderName, holderOf, setIncomplete } from './holders.ts';
import { isLarge, SAMPLE_BYTES } from './large-file.ts';
import { hasLarge, ingest, ingestBytes, largeSize } from './large-files.ts';
import { type LfsPointer, parsePointer, pointerText } from './lfs-pointer.ts';
import { withLock } from './lock.ts';
import { isFilePath, isRunBranch } from './names.ts';
import { blobFacts, readCommit, syncTouched, type Touched, writeBlobFile, writeObject } from './objects.ts';
import { readRef, writeRef } from './refs.ts';
import { AUTHOR } from './repos.ts';
import { largeLock, repoFolder, repoLock, type Store } from './store.ts';
import { flatten, pathConflict, writeTree } from './tree.ts';
import { wantNoMore } from './wanted.ts';

/** What comes into a commit. `regular`: kept inside the commit whatever its size and name say. */
export type StoredAddition =
  | { readonly path: string; readonly content: string | Uint8Array; readonly regular?: boolean }
  | { readonly path: string; readonly file: string; readonly sha256?: string; readonly regular?: boolean }
  /** a large file that the store holds already */
  | { readonly path: string; readonly stored: string };

interface StoreCommit {
  readonly repo: RepoId;
  readonly branch: string;
  /** The head that the caller decided on; without it the commit goes on top of whatever is there. */
  readonly parent?: string;
  readonly message: string;
  readonly add: readonly StoredAddition[];
  /** Files, or folders with all below them; `all` leaves nothing but what is added. */
  readonly remove?: readonly string[] | 'all';
}

export type StoreCommitOutcome =
  /** `commit` is what the branch names now: the old head where the tree is unchanged, since that makes no commit. */
  | { readonly ok: true; readonly commit: string; readonly changed: boolean }
  | { readonly ok: false; readonly reason: 'moved' | 'no-branch' }
  /** A path that cannot stand in a commit, one to remove that is not there, or a large file that is not stored. */
  | { readonly ok: false; readonly reason: 'bad-path' | 'no-entry' | 'not-stored'; readonly path: string };

/** Files that one commit writes at the same time: it waits mostly for the disk to say that they are safe. */
const AT_ONCE = 16;

/** How a caller watches a commit and stops it before anything of it shows. */
export interface CommitWatch {
  readonly signal?: AbortSignal | undefined;
  /** Called when the bytes of a file are in the store. */
  readonly taken?: (path: string, bytes: number) => void;
}

interface Prepared {
  readonly path: string;
  readonly blob: string;
  readonly lfs: LfsPointer | undefined;
  /** Brings the large file once more; undefined where the caller stored it beforehand. */
  readonly again?: () => Promise<LfsPointer>;
}

/**
 * One commit, all or nothing: the objects first, then the reference, each of them durable before the next step. Only the
 * comparison with the head and what follows it are done under the repo's lock.
 */
export async function commit(store: Store, request: StoreCommit, watch: CommitWatch = {}): Promise<StoreCommitOutcome> {
  const repo = repoFolder(store, request.repo);
  const moved = (head: string | undefined): boolean => request.parent !== undefined && head !== request.parent;
  const early = await readRef(repo, 'heads', request.branch);
  if (early === undefined) return { ok: false, reason: 'no-branch' };
  if (moved(early)) return { ok: false, reason: 'moved' };
  const bad = request.add.find(({ path }) => !isFilePath(path));
  if (bad !== undefined) return { ok: false, reason: 'bad-path', path: bad.path };

  const intake = new Intake(store, repo, watch);
  const { touched, brought } = intake;
  return explainingFullDisk(store, async () => {
    try {
      const added = await intake.prepareAll(request.add);
      if (typeof added === 'string') return { ok: false, reason: 'not-stored', path: added };
      watch.signal?.throwIfAborted();
      const outcome = await withLock(repoLock(store, request.repo), async (): Promise<StoreCommitOutcome> => {
        const head = await readRef(repo, 'heads', request.branch);
        if (head === undefined) return { ok: false, reason: 'no-branch' };
        if (moved(head)) return { ok: false, reason: 'moved' };
        const missing = await storeAgain(store, request, added, touched);
        if (missing !== undefined) return { ok: false, reason: 'not-stored', path: missing };
        return append(intake, request, head, added);
      });
      // the client may commit a refused upload again without sending its bytes again
      if (outcome.ok) for (const { lfs } of added) if (lfs !== undefined) brought.add(lfs.sha256);
      return outcome;
    } finally {
      for (const sha256 of brought) await wantNoMore(store, sha256);
    }
  });
}

async function append(
  { store, repo, touched }: Intake,
  request: StoreCommit,
  head: string,
  added: readonly Prepared[],
): Promise<StoreCommitOutcome> {
  const before = await readCommit(repo, head);
  if (before === undefined) throw new Error(`Commit ${head} is missing in ${repo}`);
  const files = request.remove === 'all' ? new Map<string, string>() : await flatten(store, repo, before.tree);
  const absent = request.remove === 'all' ? undefined : removeFrom(files, request.remove ?? []);
  if (absent !== undefined) return { ok: false, reason: 'no-entry', path: absent };
  for (const { path, blob } of added) files.set(path, blob);
  const conflict = pathConflict(files);
  if (conflict !== undefined) return { ok: false, reason: 'bad-path', path: conflict };

  const tree = await writeTree(store, repo, files, touched);
  if (tree === before.tree) return { ok: true, commit: head, changed: false };
  const message = request.message.endsWith('\n') ? request.message : `${request.message}\n`;
  const time = Math.floor(Date.now() / 1000);
  const content = encodeCommit({ tree, parents: [head], author: AUTHOR, time, message });
  const id = await writeObject(store, repo, { kind: 'commit', content }, touched);
  await syncTouched(touched);
  if (isRunBranch(request.branch)) await markReplaced(store, repo, before.tree, files);
  await writeRef(store, repo, { kind: 'heads', name: request.branch }, id);
  return { ok: true, commit: id, changed: true };
}

/** Takes files, or folders with all below them, out of a flat list; returns the first path that is not in it. */
function removeFrom(files: Map<string, string>, paths: readonly string[]): string | undefined {
  const gone = new Set<string>();
  for (const path of paths) {
    const doomed = files.has(path) ? [path] : [...files.keys()].filter((file) => file.startsWith(`${path}/`));
    if (doomed.length === 0) return path;
    for (const file of doomed) gone.add(file);
  }
  for (const path of gone) files.delete(path);
  return undefined;
}

/** A run's branch holds what its newest commit holds: the large files that this one leaves out may be given back. */
async function markReplaced(store: Store, repo: string, before: string, files: ReadonlyMap<string, string>): Promise<void> {
  const left = new Set(files.values());
  try {
    for (const id of new Set((await flatten(store, repo, before)).values())) {
      const { lfs } = left.has(id) ? { lfs: undefined } : await blobFacts(store, repo, id);
      if (lfs !== undefined) await markDropped(store, lfs.sha256);
    }
  } catch {
    // the old tree cannot be read: the commit goes on, since it needs nothing of that tree
    await setIncomplete(store);
  }
}

/** What one commit brings into the store before its lock is taken. */
class Intake {
  readonly store: Store;
  /** the repo's folder */
  readonly repo: string;
  readonly touched: Touched = new Set();
  /** sha256 of the large files that came for this commit */
  readonly brought = new Set<string>();
  readonly #watch: CommitWatch;

  constructor(store: Store, repo: string, watch: CommitWatch) {
    [this.store, this.repo, this.#watch] = [store, repo, watch];
  }

  /** Writes what the additions hold; returns the path of one that is said to be stored and is not. */
  async prepareAll(add: readonly StoredAddition[]): Promise<Prepared[] | string> {
    const done: Prepared[] = [];
    for (let at = 0; at < add.length; at += AT_ONCE) {
      this.#watch.signal?.throwIfAborted();
      const some = add.slice(at, at + AT_ONCE);
      // waits for all of them, so that no write is under way when the caller hears of an error
      const results = await Promise.allSettled(some.map((addition) => this.#prepare(addition)));
      for (const [i, result] of results.entries()) {
        if (result.status === 'rejected') throw result.reason;
        if (result.value === undefined) return some[i]?.path ?? '';
        done.push(result.value);
      }
    }
    return done;
  }

  async #prepare(addition: StoredAddition): Promise<Prepared | undefined> {
    const { store, repo, touched } = this;
    const { path } = addition;
    if ('stored' in addition) {
      const size = await largeSize(store, addition.stored);
      return size === undefined ? undefined : await this.#pointer(path, { sha256: addition.stored, size });
    }
    if ('file' in addition) {
      const { file, sha256 } = addition;
      if (addition.regular !== true && (await isLargeFile(path, file)))
        return await this.#bring(path, () => ingest(store, file, { sha256, signal: this.#watch.signal }));
      const blob = await writeBlobFile(store, repo, file, touched);
      this.#watch.taken?.(path, (await stat(file)).size);
      return { path, blob, lfs: undefined };
    }
    const content = typeof addition.content === 'string' ? Buffer.from(addition.content) : addition.content;
    if (addition.regular !== true && isLarge(path, content.length, content))
      return await this.#bring(path, () => ingestBytes(store, content));
    // a small file whose text is a pointer stands for a large file, as it does in git
    const lfs = parsePointer(content);
    if (lfs !== undefined && !(await hasLarge(store, lfs))) return undefined;
    const blob = await writeObject(store, repo, { kind: 'blob', content }, touched);
    this.#watch.taken?.(path, content.length);
    return { path, blob, lfs };
  }

  async #bring(path: string, again: () => Promise<LfsPointer>): Promise<Prepared> {
    const lfs = await again();
    this.brought.add(lfs.sha256);
    this.#watch.taken?.(path, lfs.size);
    return { ...(await this.#pointer(path, lfs)), again };
  }

  async #pointer(path: string, lfs: LfsPointer): Promise<Prepared> {
    const blob = await writeObject(this.store, this.repo, { kind: 'blob', content: Buffer.from(pointerText(lfs)) }, this.touched);
    return { path, blob, lfs };
  }
}

async function isLargeFile(path: string, file: string): Promise<boolean> {
  const { size } = await stat(file);
  const handle = await open(file);
  try {
    const sample = Buffer.alloc(SAMPLE_BYTES);
    const { bytesRead } = await handle.read(sample, 0, SAMPLE_BYTES, 0);
    return isLarge(path, size, sample.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

/**
 * Another process may have deleted files since this commit took them in. So the branch enters itself as their holder first:
 * from then on `reclaim` deletes none of them, and a file that is found under its lock stays.
 */
async function storeAgain(
  store: Store,
  { repo, branch }: StoreCommit,
  added: readonly Prepared[],
  touched: Touched,
): Promise<string | undefined> {
  for (const { path, lfs, again } of added) {
    if (lfs === undefined) continue;
    await addHolder(store, holderName(lfs.sha256, holderOf(repo, 'heads', branch)), touched);
    if (await withLock(largeLock(store, lfs.sha256), () => hasLarge(store, lfs))) continue;
    if (again === undefined) return path;
    await again();
  }
  return undefined;
}
