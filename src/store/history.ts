import type { GitCommit } from './git-object.ts';
import { readCommit } from './objects.ts';
import type { Store } from './store.ts';
import { findEntry } from './tree.ts';

interface LoggedCommit extends GitCommit {
  readonly id: string;
}

/** The commits from one back to the first, newest first, along first parents. */
export async function* history(repo: string, from: string): AsyncGenerator<LoggedCommit> {
  for (let id: string | undefined = from; id !== undefined; ) {
    const commit = await readCommit(repo, id);
    if (commit === undefined) return;
    yield { id, ...commit };
    id = commit.parents[0];
  }
}

/** For each path the newest commit, from `from` back, that gave it the content it has at `from`. */
export async function lastCommits(
  store: Store,
  repo: string,
  from: string,
  paths: readonly string[],
): Promise<Map<string, LoggedCommit>> {
  const found = new Map<string, LoggedCommit>();
  const contents = new Map<string, string>();
  const open = new Set(paths);
  let newer: LoggedCommit | undefined;
  for await (const commit of history(repo, from)) {
    for (const path of open) {
      const id = (await findEntry(store, repo, commit.tree, path))?.id;
      if (newer === undefined && id !== undefined) contents.set(path, id);
      else if (newer !== undefined && id !== contents.get(path)) {
        found.set(path, newer);
        open.delete(path);
      }
    }
    newer = commit;
    if (open.size === 0) return found;
  }
  for (const path of open) if (newer !== undefined) found.set(path, newer);
  return found;
}
