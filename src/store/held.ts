import { addHolder, type Holder, holderName, setIncomplete } from './holders.ts';
import { blobFacts, readCommit, readTree, syncTouched, type Touched } from './objects.ts';
import type { Store } from './store.ts';

/** The large files below a tree, by the tree's id: an id names its content, in whatever repo it is read. */
export type TreeMemo = Map<string, ReadonlySet<string>>;

export async function commitOf(repo: string, id: string): Promise<{ tree: string; parents: readonly string[] }> {
  const commit = await readCommit(repo, id);
  if (commit === undefined) throw new Error(`Commit ${id} is missing in ${repo}`);
  return commit;
}

/** The sha256 of every large file that a tree holds. Throws when a tree or a pointer cannot be read. */
export async function largeOfTree(
  store: Store,
  repo: string,
  tree: string,
  memo: TreeMemo = new Map(),
): Promise<ReadonlySet<string>> {
  const known = memo.get(tree);
  if (known !== undefined) return known;
  const found = new Set<string>();
  for (const { kind, id } of await readTree(store, repo, tree)) {
    if (kind === 'tree') for (const sha256 of await largeOfTree(store, repo, id, memo)) found.add(sha256);
    else {
      const { lfs } = await blobFacts(store, repo, id);
      if (lfs !== undefined) found.add(lfs.sha256);
    }
  }
  memo.set(tree, found);
  return found;
}

/** Does what `largeOfTree` does for commits and all their ancestors. */
export async function largeOfHistory(
  store: Store,
  repo: string,
  heads: readonly string[],
  memo: TreeMemo = new Map(),
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const seen = new Set<string>();
  const open = [...heads];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    const { tree, parents } = await commitOf(repo, next);
    for (const sha256 of await largeOfTree(store, repo, tree, memo)) found.add(sha256);
    open.push(...parents);
  }
  return found;
}

/** Enters the holders for a reference that is about to move, unless it moves to a commit that was just made on top of its own. */
export async function holdAll(store: Store, repo: string, holder: Holder, commit: string): Promise<void> {
  const touched: Touched = new Set();
  try {
    const large =
      holder.run === undefined
        ? await largeOfHistory(store, repo, [commit])
        : await largeOfTree(store, repo, (await commitOf(repo, commit)).tree);
    for (const sha256 of large) await addHolder(store, holderName(sha256, holder), touched);
  } catch {
    // the next `prune` reports the damage and deletes nothing
    await setIncomplete(store);
  }
  await syncTouched(touched);
}
