import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startHubServer } from '../../src/hub-server/server.ts';
import { commit } from '../../src/store/commit.ts';
import { readRef } from '../../src/store/refs.ts';
import { createRepo } from '../../src/store/repos.ts';
import { openStore, repoFolder } from '../../src/store/store.ts';

describe('A client that goes away in the middle', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-aborted-'));
  const store = await openStore(join(folder, 'hub'));
  const repo = { type: 'model' as const, name: 'org/m' };
  await createRepo(store, repo);
  const headers = { Authorization: 'Bearer hf_test' };
  const faults: unknown[] = [];
  const server = await startHubServer({ store, token: 'hf_test', secret: 's', onFault: (error) => faults.push(error) });
  after(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });
  const temporary = (): Promise<string[]> => readdir(join(store.root, 'tmp'));

  /** Sends the start of a body, waits until the server writes it down, and hangs up. */
  async function hangUp(method: string, address: string, start: string | Buffer): Promise<void> {
    const sent = request(address, { method, headers: { ...headers, 'Content-Length': 50_000_000 } });
    sent.on('error', () => {});
    sent.write(start);
    while ((await temporary()).length === 0) await sleep(5);
    sent.destroy();
    while ((await temporary()).length > 0) await sleep(5);
  }

  it('leaves nothing of an upload', async () => {
    const oid = createHash('sha256').update('x').digest('hex');
    const body = JSON.stringify({ operation: 'upload', transfers: ['basic'], objects: [{ oid, size: 50_000_000 }] });
    const batch = await fetch(`${server.url}/org/m.git/info/lfs/objects/batch`, { method: 'POST', headers, body });
    const { objects } = (await batch.json()) as { objects: { actions: { upload: { href: string } } }[] };
    await hangUp('PUT', objects[0]?.actions.upload.href ?? '', Buffer.alloc(1_000_000));
    assert.deepEqual(await readdir(join(store.root, 'lfs')).catch(() => []), []);
  });

  it('is no fault of the server in the middle of an answer', async () => {
    await writeFile(join(folder, 'w.npz'), Buffer.alloc(30_000_000, 1));
    const add = [{ path: 'w.npz', file: join(folder, 'w.npz') }];
    const outcome = await commit(store, { repo, branch: 'main', message: 'Add', add });
    assert.ok(outcome.ok);
    const stop = new AbortController();
    const response = await fetch(`${server.url}/org/m/resolve/${outcome.commit}/w.npz`, { headers, signal: stop.signal });
    for await (const _ of response.body ?? []) break;
    stop.abort();
    // the next answer comes after the server has seen the end of that one
    await fetch(`${server.url}/api/whoami-v2`, { headers });
    await sleep(50);
    assert.deepEqual(faults, []);
  });

  it('leaves nothing of a commit', async () => {
    const before = await readRef(repoFolder(store, repo), 'heads', 'main');
    const lines = [
      '{"key":"header","value":{"summary":"x"}}',
      `{"key":"file","value":{"path":"a.txt","encoding":"base64","content":"${'QUJD'.repeat(200_000)}`,
    ];
    await hangUp('POST', `${server.url}/api/models/org/m/commit/main`, lines.join('\n'));
    assert.equal(await readRef(repoFolder(store, repo), 'heads', 'main'), before);
  });
});
