import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { place } from './durable.ts';
import type { GitCommit } from './git-object.ts';
import { readCommit } from './objects.ts';
import type { Store } from './store.ts';
import { findEntry } from './tree.ts';

const MAX_COUNTS = 200_000;

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

/** Commits that a count must read before it is written to a file, which spares the next process from reading them. */
const WORTH_KEEPING = 100;

/**
 * How many commits `history` gives. What lies behind a commit never changes: a count is remembered for as long as the process
 * lives, and one that took long in the file `counts` of the repo, which may be lost without harm.
 */
export async function countHistory(store: Store, repo: string, from: string): Promise<number> {
  const kept = join(repo, 'counts');
  const passed: string[] = [];
  let total = 0;
  for (let id: string | undefined = from; id !== undefined; ) {
    if (passed.length === 0 && !store.counts.has(id)) await readCounts(store, kept);
    const known = store.counts.get(id);
    if (known !== undefined) {
      total = known;
      break;
    }
    const commit = await readCommit(repo, id);
    if (commit === undefined) break;
    passed.push(id);
    id = commit.parents[0];
  }
  if (store.counts.size > MAX_COUNTS) store.counts.clear();
  total += passed.length;
  for (const [i, id] of passed.entries()) store.counts.set(id, total - i);
  if (passed.length > WORTH_KEEPING) await place(store, kept, `${from} ${total}\n`).catch(() => undefined);
  return total;
}

async function readCounts(store: Store, file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => '');
  for (const [, id, count] of text.matchAll(/^([0-9a-f]{40}) (\d+)$/gm)) store.counts.set(id as string, Number(count));
}

/** For each path the newest commit, from `from` back, that gave it the content it has at `from`. */
export async function lastCommits(
  store: Store,
  repo: string,
  from: string,
  paths: readonly string[],
): Promise<Map<string, LoggedCommit>> {
  const found = new Map<string, LoggedCommit>();
  const contents = new Map<string, string | undefined>();
  const open = new Set(paths);
  const foundAt = (path: string, commit: LoggedCommit): void => {
    found.set(path, commit);
    open.delete(path);
  };
  let newer: LoggedCommit | undefined;
  const idOf = async (commit: LoggedCommit, path: string) => (await findEntry(store, repo, commit.tree, path))?.id;
  for await (const commit of history(repo, from)) {
    for (const path of open) {
      const id = await idOf(commit, path);
      if (newer === undefined) contents.set(path, id);
      else if (id !== contents.get(path)) foundAt(path, newer);
    }
    newer = commit;
    if (open.size === 0) return found;
  }
  for (const path of open) if (newer !== undefined) found.set(path, newer);
  return found;
}
