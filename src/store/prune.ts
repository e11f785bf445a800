import { link, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RepoId } from '../model/artifact.ts';
import { isRunId } from '../model/run-id.ts';
import { temporaryPath } from './durable.ts';
import { withLock } from './lock.ts';
import { blobFacts, readCommit, readTree } from './objects.ts';
import { listRefs } from './refs.ts';
import { listRepos } from './repos.ts';
import { lfsFile, repoFolder, repoLock, type Store, storeLock } from './store.ts';
import { isWanted } from './wanted.ts';

export interface Pruned {
  /** large files that nothing holds any more */
  readonly files: number;
  /** what they take on the disk */
  readonly bytes: number;
  /** what those of them take that have another name outside of the store, in bytes: given back once that name goes too */
  readonly heldBytes: number;
}

/** The branch of a run: its history is the log of the run, and what it has dropped (checkpoints) is dropped. */
export function isRunBranch(name: string): boolean {
  return isRunId(name);
}

/** The branch of what identifies runs, which began at what main was then. */
const KEY = /^key-[0-9a-f]{32}$/;

/**
 * Deletes the large files that no commit holds which a branch or a tag of any repo leads to, of a run's branch only its
 * newest one. All repos stand still meanwhile; what is on its way into a commit stays. A crash leaves nothing to repair:
 * the next call goes on. `dry` only counts. Throws when a commit or a tree cannot be read, before anything is deleted.
 */
export async function prune(store: Store, { dry = false } = {}): Promise<Pruned> {
  return withLock(storeLock(store), async () => {
    const repos = await listRepos(store);
    return lockedAll(store, repos, async () => {
      const kept = new Set<string>();
      const seen = new Set<string>();
      for (const repo of repos) await markRepo(store, repoFolder(store, repo), seen, kept);
      let [files, bytes, heldBytes] = [0, 0, 0];
      for (const sha256 of await stored(store)) {
        if (kept.has(sha256) || (await isWanted(store, sha256))) continue;
        const info = await stat(lfsFile(store, sha256)).catch(() => undefined);
        if (info === undefined || !(dry || (await giveUp(store, sha256)))) continue;
        files += 1;
        if (info.nlink > 1) heldBytes += info.size;
        else bytes += info.size;
      }
      return { files, bytes, heldBytes };
    });
  });
}

/** `listRepos` gives one order to all, so two of these cannot wait for each other. */
async function lockedAll<T>(store: Store, repos: readonly RepoId[], work: () => Promise<T>): Promise<T> {
  const [first, ...rest] = repos;
  return first === undefined ? work() : withLock(repoLock(store, first), () => lockedAll(store, rest, work));
}

async function markRepo(store: Store, repo: string, seen: Set<string>, kept: Set<string>): Promise<void> {
  const heads = Object.entries(await listRefs(repo, 'heads'));
  const open = Object.values(await listRefs(repo, 'tags'));
  for (const [name, head] of heads) {
    if (isRunBranch(name) || KEY.test(name)) await markTree(store, repo, (await commitOf(repo, head)).tree, seen, kept);
    else open.push(head);
  }
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    const { tree, parents } = await commitOf(repo, next);
    await markTree(store, repo, tree, seen, kept);
    open.push(...parents);
  }
}

async function commitOf(repo: string, id: string): Promise<{ tree: string; parents: readonly string[] }> {
  const commit = await readCommit(repo, id);
  if (commit === undefined) throw new Error(`Commit ${id} is missing in ${repo}`);
  return commit;
}

/** An id names its content: what was seen in one repo is the same in another. */
async function markTree(store: Store, repo: string, tree: string, seen: Set<string>, kept: Set<string>): Promise<void> {
  if (seen.has(tree)) return;
  for (const { kind, id } of await readTree(store, repo, tree)) {
    if (kind === 'tree') await markTree(store, repo, id, seen, kept);
    else if (!seen.has(id)) {
      const { lfs } = await blobFacts(store, repo, id);
      if (lfs !== undefined) kept.add(lfs.sha256);
      seen.add(id);
    }
  }
  seen.add(tree);
}

async function stored(store: Store): Promise<string[]> {
  const found = await readdir(join(store.root, 'lfs'), { recursive: true, withFileTypes: true }).catch(() => []);
  return found.filter((entry) => entry.isFile() && /^[0-9a-f]{64}$/.test(entry.name)).map(({ name }) => name);
}

/**
 * Moved aside first and deleted only if still nobody wants it: whoever wanted it before finds it again, whoever wants it
 * afterwards finds that it is not there and brings it.
 */
async function giveUp(store: Store, sha256: string): Promise<boolean> {
  const path = lfsFile(store, sha256);
  const aside = temporaryPath(store);
  await rename(path, aside);
  const wanted = await isWanted(store, sha256);
  // one that was brought meanwhile is as good, or better
  if (wanted) await link(aside, path).catch(() => undefined);
  await rm(aside);
  return !wanted;
}
