import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { atomicWrite } from '../base/atomic-write.ts';
import { sha256 } from '../base/sha256.ts';
import type { Hub } from '../hub/hub.ts';
import { commitId, type RepoId } from '../model/artifact.ts';
import { isRunId } from '../model/branches.ts';
import { runState } from '../runs/run-state.ts';
import { readRunIfReadable } from './read-run.ts';

/** What a list shows of a run, without the recipe and what came of it. */
const listedRun = runState.pick({
  run: true,
  stage: true,
  repo: true,
  target: true,
  phase: true,
  owner: true,
  epoch: true,
  job: true,
  driver: true,
  steps: true,
  checkpoints: true,
  failure: true,
  updatedAt: true,
});
export type ListedRun = z.infer<typeof listedRun>;

/** Requests at the same time: a Hub over HTTP gets as many connections. */
const AT_ONCE = 16;

/** What was read of runs before, by the commit that it stands in: that never changes. */
const known = z.record(commitId, listedRun);
type Known = z.infer<typeof known>;

/**
 * Every run on the Hub whose state can be read, newest first. It costs a request for each repo and one for each run that was
 * written to since the last list: `home` holds what was read before.
 */
export async function listRuns(hub: Hub, home: string): Promise<ListedRun[]> {
  const file = join(home, 'cache', `runs-${sha256(hub.name).slice(0, 12)}.json`);
  const before = await readKnown(file);
  const repos = await hub.list();
  const branches = (await inTurn(repos, (repo) => branchesOf(hub, repo))).flat();
  const now: Known = {};
  await inTurn(branches, async ({ repo, run, head }) => {
    const state = before[head] ?? (await readRunIfReadable(hub, repo, run, head))?.state;
    if (state !== undefined) now[head] = state;
  });
  if (Object.keys(now).some((head) => before[head] === undefined)) {
    // a list is shown although its disk is full or may not be written to
    await atomicWrite(file, JSON.stringify(known.parse(now))).catch(() => undefined);
  }
  return Object.values(now).sort((a, b) => (a.run < b.run ? 1 : -1));
}

async function branchesOf(hub: Hub, repo: RepoId): Promise<{ repo: RepoId; run: string; head: string }[]> {
  const branches = Object.entries((await hub.refs(repo))?.branches ?? {});
  return branches.filter(([name]) => isRunId(name)).map(([run, head]) => ({ repo, run, head }));
}

async function readKnown(file: string): Promise<Known> {
  try {
    return known.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return {};
  }
}

/** Does what `Promise.all` does with the items, a few at a time. */
async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const done: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) done[i] = await work(items[i] as T);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return done;
}
