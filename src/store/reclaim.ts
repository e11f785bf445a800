import type { RepoId } from '../model/artifact.ts';
import { listDropped, unmarkDropped } from './dropped.ts';
import { commitOf, largeOfTree, type TreeMemo } from './held.ts';
import { type Holder, holderName, holdersOf, isComplete, removeHolder } from './holders.ts';
import { withLock } from './lock.ts';
import { lockedAll, type Pruned, prune, sweep } from './prune.ts';
import { readRef } from './refs.ts';
import { readRepo } from './repos.ts';
import { largeLock, repoFolder, type Store, storeLock } from './store.ts';
import { isWanted } from './wanted.ts';

/**
 * As `prune`, of those large files alone that were dropped since the last time: it asks the index who leads to each of them,
 * and looks at the runs that it names. What it costs grows with what was dropped, not with what the store holds. Branches
 * other than runs' and tags count as leading to what they ever led to; `prune` looks closer.
 */
export async function reclaim(store: Store): Promise<Pruned> {
  const given = await withLock(storeLock(store), async () => {
    if (!(await isComplete(store))) return undefined;
    const dropped = await listDropped(store);
    const named = new Map<string, Holder[]>();
    const repos = new Map<string, RepoId>();
    for (const sha256 of dropped) {
      const holders = await holdersOf(store, sha256);
      named.set(sha256, holders);
      for (const { repo } of holders) repos.set(orderOf(repo), repo);
    }
    const ordered = [...repos].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, repo]) => repo);
    return lockedAll(store, ordered, async () => {
      const gone = await passed(store, named);
      for (const name of gone) await removeHolder(store, name);
      return sweepDropped(store, dropped);
    });
  });
  return given ?? prune(store);
}

/** The order of `listRepos`. */
function orderOf({ type, name }: RepoId): string {
  return [type === 'model' ? 0 : 1, ...name.split('/')].join('\0');
}

/** The names of the holders that lead there no more. Throws when a run's newest commit cannot be read. */
async function passed(store: Store, named: ReadonlyMap<string, readonly Holder[]>): Promise<string[]> {
  const memo: TreeMemo = new Map();
  const heads = new Map<string, ReadonlySet<string> | undefined>();
  const headOf = async ({ repo, run }: Holder): Promise<ReadonlySet<string> | undefined> => {
    const key = holderName('', { repo, run });
    if (!heads.has(key)) heads.set(key, await largeOf(store, { repo, run }, memo));
    return heads.get(key);
  };
  const gone: string[] = [];
  for (const [sha256, holders] of named)
    for (const holder of holders) if ((await headOf(holder))?.has(sha256) === false) gone.push(holderName(sha256, holder));
  return gone;
}

/** The large files that a run's branch holds: none where it or its repo is gone; `undefined` where the index is to be believed. */
async function largeOf(store: Store, { repo, run }: Holder, memo: TreeMemo): Promise<ReadonlySet<string> | undefined> {
  if ((await readRepo(store, repo)) === undefined) return new Set();
  if (run === undefined) return undefined;
  const folder = repoFolder(store, repo);
  const head = await readRef(folder, 'heads', run);
  return head === undefined ? new Set() : largeOfTree(store, folder, (await commitOf(folder, head)).tree, memo);
}

/**
 * A commit in a repo that is not locked here names itself as a holder first and looks then, under this very lock, whether
 * the file is there: so it is either seen here, or sees that the file is gone.
 */
async function sweepDropped(store: Store, dropped: readonly string[]): Promise<Pruned> {
  let [files, bytes, heldBytes] = [0, 0, 0];
  for (const sha256 of dropped) {
    await withLock(largeLock(store, sha256), async () => {
      const isHeld = async (): Promise<boolean> => (await holdersOf(store, sha256)).length > 0;
      const given = await sweep(store, [sha256], false, isHeld);
      files += given.files;
      bytes += given.bytes;
      heldBytes += given.heldBytes;
      // the file is still wanted, but its commit may never be made: the mark stays for the next call
      if (!(await isWanted(store, sha256))) await unmarkDropped(store, sha256);
    });
  }
  return { files, bytes, heldBytes };
}
