import { link, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../base/atomic-write.ts';
import { diskFull } from '../errors.ts';
import type { RepoId } from '../model/artifact.ts';
import { listDropped, unmarkDropped } from './dropped.ts';
import { temporaryPath } from './durable.ts';
import { commitOf, largeOfHistory, largeOfTree, type TreeMemo } from './held.ts';
import { addHolder, holderName, holderNames, holderOf, removeHolder, setComplete } from './holders.ts';
import { withLock } from './lock.ts';
import { listRefs } from './refs.ts';
import { listRepos } from './repos.ts';
import { lfsFile, repoFolder, repoLock, type Store, storeLock } from './store.ts';
import { isWanted } from './wanted.ts';

export interface Pruned {
  /** large files that nothing holds any more */
  readonly files: number;
  /** what they take on the disk */
  readonly bytes: number;
  /** bytes of those that have a second name outside of the store, which the disk gives back only when that name goes too */
  readonly heldBytes: number;
}

/**
 * Deletes the large files that no commit holds which a branch or a tag of any repo leads to, of a run's branch only its
 * newest one. All repos stand still meanwhile; what is on its way into a commit stays. A crash leaves nothing to repair:
 * the next call goes on. `dry` only counts. Throws when a commit or a tree cannot be read, before anything is deleted.
 * It looks at everything, and brings the index of holders up to date on the way; `reclaim` is for every day.
 */
export async function prune(store: Store, { dry = false } = {}): Promise<Pruned> {
  return withLock(storeLock(store), async () => {
    const repos = await listRepos(store);
    return lockedAll(store, repos, async () => {
      const kept = new Set<string>();
      const names = new Set<string>();
      const memo: TreeMemo = new Map();
      for (const repo of repos) await markRepo(store, repo, { memo, kept, names });
      const dropped = await listDropped(store);
      const found = await sweep(store, await stored(store), dry, async (sha256) => kept.has(sha256));
      if (!dry) {
        await bringUp(store, names);
        for (const sha256 of dropped) if (!(await isWanted(store, sha256))) await unmarkDropped(store, sha256);
      }
      return found;
    });
  });
}

/** Takes the locks of all repos in the order of `listRepos`, so that two callers cannot wait for each other. */
export async function lockedAll<T>(store: Store, repos: readonly RepoId[], work: () => Promise<T>): Promise<T> {
  const [first, ...rest] = repos;
  return first === undefined ? work() : withLock(repoLock(store, first), () => lockedAll(store, rest, work));
}

/** Deletes of these large files those that are neither needed nor wanted. */
export async function sweep(
  store: Store,
  candidates: readonly string[],
  dry: boolean,
  isNeeded: (sha256: string) => Promise<boolean>,
): Promise<Pruned> {
  let [files, bytes, heldBytes] = [0, 0, 0];
  for (const sha256 of candidates) {
    if ((await isNeeded(sha256)) || (await isWanted(store, sha256))) continue;
    const info = await stat(lfsFile(store, sha256)).catch(() => undefined);
    if (info === undefined || !(dry || (await giveUp(store, sha256)))) continue;
    files += 1;
    if (info.nlink > 1) heldBytes += info.size;
    else bytes += info.size;
  }
  return { files, bytes, heldBytes };
}

/** What a walk over all repos has found: which large files are led to, and by whom. */
interface Marks {
  readonly memo: TreeMemo;
  readonly kept: Set<string>;
  readonly names: Set<string>;
}

async function markRepo(store: Store, id: RepoId, { memo, kept, names }: Marks): Promise<void> {
  const repo = repoFolder(store, id);
  const mark = (large: ReadonlySet<string>, run: string | undefined): void => {
    for (const sha256 of large) {
      kept.add(sha256);
      names.add(holderName(sha256, { repo: id, run }));
    }
  };
  const open = Object.values(await listRefs(repo, 'tags'));
  for (const [name, head] of Object.entries(await listRefs(repo, 'heads'))) {
    const { run } = holderOf(id, 'heads', name);
    if (run !== undefined) mark(await largeOfTree(store, repo, (await commitOf(repo, head)).tree, memo), run);
    else open.push(head);
  }
  mark(await largeOfHistory(store, repo, open, memo), undefined);
}

/** Has the index name these holders and no others. On a full disk that is left to the next `prune`. */
async function bringUp(store: Store, names: ReadonlySet<string>): Promise<void> {
  try {
    const there = new Set(await holderNames(store));
    const touched = new Set<string>();
    for (const name of names) if (!there.has(name)) await addHolder(store, name, touched);
    for (const folder of touched) await syncFolder(folder);
    await setComplete(store);
    for (const name of there) if (!names.has(name)) await removeHolder(store, name);
  } catch (error) {
    if (diskFull(error, 'write') === undefined) throw error;
  }
}

async function stored(store: Store): Promise<string[]> {
  const found = await readdir(join(store.root, 'lfs'), { recursive: true, withFileTypes: true }).catch(() => []);
  return found.filter((entry) => entry.isFile() && /^[0-9a-f]{64}$/.test(entry.name)).map(({ name }) => name);
}

/**
 * Moves the file aside first and deletes it only if still no commit wants it: one that wanted it before finds it again, one
 * that wants it afterwards finds that it is not there and brings it.
 */
async function giveUp(store: Store, sha256: string): Promise<boolean> {
  const path = lfsFile(store, sha256);
  const aside = temporaryPath(store);
  await rename(path, aside);
  const wanted = await isWanted(store, sha256);
  // another process stored the file again meanwhile: its copy stays, this one can go
  if (wanted) await link(aside, path).catch(() => undefined);
  await rm(aside);
  return !wanted;
}
