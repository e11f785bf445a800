import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { sha256 } from '../../src/base/sha256.ts';
import { startHubServer } from '../../src/hub-server/server.ts';
import { commit } from '../../src/store/commit.ts';
import { createRef, readRef } from '../../src/store/refs.ts';
import { createRepo } from '../../src/store/repos.ts';
import { openStore, repoFolder } from '../../src/store/store.ts';

const token = 'hf_test';
const repo = { type: 'model' as const, name: 'org/m' };

describe('The Hub server and the space of its disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-space-'));
  const store = await openStore(join(folder, 'hub'));
  await createRepo(store, repo);
  const faults: unknown[] = [];
  const server = await startHubServer({ store, token, secret: 's', onFault: (error) => faults.push(error) });
  after(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
    assert.deepEqual(faults, []);
  });
  const ask = (path: string, init: RequestInit): Promise<Response> =>
    fetch(server.url + path, { ...init, headers: { Authorization: `Bearer ${token}` } });
  const post = (path: string, body: unknown): Promise<Response> =>
    ask(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });

  it('gives back the space of a deleted repo, but for what somebody was told is here', async () => {
    const gone = { type: 'dataset' as const, name: 'org/gone' };
    await createRepo(store, gone);
    const [promised, dropped] = [Buffer.alloc(1000, 'promised'), Buffer.alloc(1000, 'dropped')];
    const add = [promised, dropped].map((content, i) => ({ path: `${i}.npz`, content }));
    assert.ok((await commit(store, { repo: gone, branch: 'main', message: 'Add', add })).ok);
    const objects = [{ oid: sha256(promised), size: 1000 }];
    const answer = await (await post('/org/m.git/info/lfs/objects/batch', { operation: 'upload', objects })).json();
    assert.deepEqual((answer as { objects: unknown }).objects, objects, 'it need not be sent');
    const deleted = await ask('/api/repos/delete', {
      method: 'DELETE',
      body: JSON.stringify({ type: 'dataset', organization: 'org', name: 'gone' }),
    });
    assert.equal(deleted.status, 200);
    const lines = [
      { key: 'header', value: { summary: 'Promised' } },
      { key: 'lfsFile', value: { path: 'p.npz', algo: 'sha256', oid: sha256(promised) } },
    ];
    assert.equal((await post('/api/models/org/m/commit/main', lines.map((line) => JSON.stringify(line)).join('\n'))).status, 200);
    assert.equal((await post('/org/m.git/info/lfs/verify', { oid: sha256(promised), size: 1000 })).status, 200);
    assert.equal((await post('/org/m.git/info/lfs/verify', { oid: sha256(dropped), size: 1000 })).status, 404);
  });

  it('gives back the space of the checkpoints that a run drops', async () => {
    const branch = `run-${'1'.repeat(26)}`;
    await createRef(
      store,
      repo,
      { kind: 'heads', name: branch },
      (await readRef(repoFolder(store, repo), 'heads', 'main')) ?? '',
    );
    const content = Buffer.alloc(1000, 'checkpoint');
    assert.ok((await commit(store, { repo, branch, message: 'Add', add: [{ path: 'c/w.npz', content }] })).ok);
    const lines = [
      { key: 'header', value: { summary: 'Drop' } },
      { key: 'deletedFile', value: { path: 'c/w.npz' } },
    ];
    const text = lines.map((line) => JSON.stringify(line)).join('\n');
    assert.equal((await post(`/api/models/org/m/commit/${branch}`, text)).status, 200);
    assert.equal((await post('/org/m.git/info/lfs/verify', { oid: sha256(content), size: 1000 })).status, 404);
  });
});
