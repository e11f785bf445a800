import { rm, stat } from 'node:fs/promises';
import type { RepoId } from '../model/artifact.ts';
import { withLock } from './lock.ts';
import { blobFacts, readCommit } from './objects.ts';
import { listRefs } from './refs.ts';
import { listRepos } from './repos.ts';
import { lfsFile, repoFolder, repoLock, type Store, storeLock } from './store.ts';
import { flatten } from './tree.ts';

/**
 * Deletes the large files that only older commits of this repo hold: no branch and no tag of any repo has them. All repos
 * stand still meanwhile. Returns how much was given back.
 */
export async function prune(store: Store, id: RepoId): Promise<{ readonly files: number; readonly bytes: number }> {
  return withLock(storeLock(store), async () => {
    const repos = await listRepos(store);
    return lockedAll(store, repos, async () => {
      const doomed = await largeFilesOf(store, id, await allCommits(store, id));
      for (const repo of repos) {
        for (const sha256 of await largeFilesOf(store, repo, await heads(store, repo))) doomed.delete(sha256);
      }
      let bytes = 0;
      let files = 0;
      for (const sha256 of doomed) {
        const path = lfsFile(store, sha256);
        const info = await stat(path).catch(() => undefined);
        if (info === undefined) continue;
        await rm(path, { force: true });
        bytes += info.size;
        files += 1;
      }
      return { files, bytes };
    });
  });
}

/** `listRepos` gives one order to all, so two of these cannot wait for each other. */
async function lockedAll<T>(store: Store, repos: readonly RepoId[], work: () => Promise<T>): Promise<T> {
  const [first, ...rest] = repos;
  return first === undefined ? work() : withLock(repoLock(store, first), () => lockedAll(store, rest, work));
}

async function heads(store: Store, id: RepoId): Promise<string[]> {
  const repo = repoFolder(store, id);
  return [...Object.values(await listRefs(repo, 'heads')), ...Object.values(await listRefs(repo, 'tags'))];
}

/** Every commit that a branch or a tag leads to. */
async function allCommits(store: Store, id: RepoId): Promise<Set<string>> {
  const seen = new Set<string>();
  const open = await heads(store, id);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    open.push(...((await readCommit(repoFolder(store, id), next))?.parents ?? []));
  }
  return seen;
}

async function largeFilesOf(store: Store, id: RepoId, commits: Iterable<string>): Promise<Set<string>> {
  const repo = repoFolder(store, id);
  const found = new Set<string>();
  const seen = new Set<string>();
  for (const commit of new Set(commits)) {
    const tree = (await readCommit(repo, commit))?.tree;
    if (tree === undefined || seen.has(tree)) continue;
    seen.add(tree);
    for (const blob of new Set((await flatten(store, repo, tree)).values())) {
      const { lfs } = await blobFacts(store, repo, blob);
      if (lfs !== undefined) found.add(lfs.sha256);
    }
  }
  return found;
}
