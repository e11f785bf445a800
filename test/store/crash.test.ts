import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sha256File } from '../../src/base/sha256.ts';
import { commit } from '../../src/store/commit.ts';
import { history } from '../../src/store/history.ts';
import { readRef } from '../../src/store/refs.ts';
import { createRepo } from '../../src/store/repos.ts';
import { openStore, repoFolder, type Store } from '../../src/store/store.ts';

const PROGRAM = new URL('../rig/commit-forever.ts', import.meta.url).pathname;
const repo = { type: 'model' as const, name: 'org/m' };

async function idsOf(store: Store): Promise<string[]> {
  const ids: string[] = [];
  const head = await readRef(repoFolder(store, repo), 'heads', 'main');
  for await (const { id } of history(repoFolder(store, repo), head ?? '')) ids.push(id);
  return ids;
}

describe('A store that processes share', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-crash-'));
  after(() => rm(folder, { recursive: true, force: true }));

  const start = (root: string): { child: ChildProcess; said: () => string[] } => {
    const child = spawn(process.execPath, [PROGRAM, root], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    return { child, said: () => text.split('\n').slice(0, -1) };
  };

  const stop = async ({ child }: { child: ChildProcess }): Promise<void> => {
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };

  it('loses nothing and holds nothing half when a writer is killed at any moment', async () => {
    const root = join(folder, 'killed');
    const store = await openStore(root);
    await createRepo(store, repo);
    const told: string[] = [];
    for (const pause of [0, 7, 13, 31, 57, 90]) {
      const writer = start(root);
      while (writer.said().length === 0) await sleep(5);
      await sleep(pause);
      await stop(writer);
      told.push(...writer.said());
      const ids = await idsOf(store);
      for (const id of told) assert.ok(ids.includes(id), `${id} was told and is lost`);
      execFileSync('git', ['fsck', '--strict', '--full'], { cwd: repoFolder(store, repo), stdio: 'pipe' });
    }
    const large = (await readdir(join(root, 'lfs'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    assert.ok(large.length > 0);
    for (const file of large) assert.equal(await sha256File(join(file.parentPath, file.name)), basename(file.name));
    const next = await commit(store, { repo, branch: 'main', message: 'After', add: [{ path: 'after.txt', content: 'x' }] });
    assert.ok(next.ok);
  });

  it('loses no commit of two processes that write to one repo', async () => {
    const root = join(folder, 'two');
    const store = await openStore(root);
    await createRepo(store, repo);
    const writers = [start(root), start(root)];
    while (writers.some((writer) => writer.said().length < 10)) await sleep(10);
    await Promise.all(writers.map(stop));
    const ids = await idsOf(store);
    for (const id of writers.flatMap((writer) => writer.said())) assert.ok(ids.includes(id));
    assert.equal(new Set(ids).size, ids.length);
  });
});
