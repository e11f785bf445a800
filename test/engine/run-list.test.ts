import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { beginRun } from '../../src/engine/open-run.ts';
import { listRuns } from '../../src/engine/run-list.ts';
import { localHub } from '../../src/hub/local-hub.ts';
import { RemoteHub } from '../../src/hub/remote-hub.ts';
import { startHubServer } from '../../src/hub-server/server.ts';
import { openStore } from '../../src/store/store.ts';
import { newRun } from '../rig/new-run.ts';

const fields = (repo: number) => newRun(`me/out-${repo}`);

test('a list of runs asks a Hub once for each repo, and once for each run that was written to since', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-list-'));
  const store = await openStore(join(folder, 'hub'));
  const server = await startHubServer({ store, token: 'hf_test', secret: 's' });
  t.after(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });
  const own = localHub(store);
  const runs = [];
  for (let i = 0; i < 9; i += 1) runs.push(await beginRun(own, () => new Date(1e12 + i), fields(i % 3)));

  let asked: string[] = [];
  const hub = new RemoteHub({
    url: server.url,
    token: 'hf_test',
    fetch: (input, init) => {
      asked.push(new URL(String(input)).pathname);
      return fetch(input, init);
    },
  });
  const list = async (): Promise<{ runs: string[]; phases: string[]; refs: number; reads: number }> => {
    asked = [];
    const found = await listRuns(hub, join(folder, 'home'));
    const count = (part: string): number => asked.filter((path) => path.includes(part)).length;
    return {
      runs: found.map(({ run }) => run),
      phases: [...new Set(found.map(({ phase }) => phase))],
      refs: count('/refs'),
      reads: count('/resolve/'),
    };
  };
  const names = runs.map(({ state }) => state.run).reverse();
  assert.deepEqual(await list(), { runs: names, phases: ['running'], refs: 3, reads: 9 });
  assert.deepEqual(await list(), { runs: names, phases: ['running'], refs: 3, reads: 0 });
  const [first] = runs;
  assert.ok(first);
  await first.advance({ ...first.state, phase: 'done' }, 'done');
  assert.deepEqual(await list(), { runs: names, phases: ['running', 'done'], refs: 3, reads: 1 });
});
