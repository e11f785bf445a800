import assert from 'node:assert/strict';
import { chmod, open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ZephyrError } from '../../src/errors.ts';
import { RemoteHub } from '../../src/hub/remote-hub.ts';
import { answerLost, type Fault, landedThen, lost, startFaultyServer, status } from './faulty-hub.ts';

describe('A remote Hub that misbehaves', async () => {
  const server = await startFaultyServer();
  const { rig, commitsOf, folder, store } = server;
  after(server.close);

  for (const [name, fault] of [
    ['its answer is lost', answerLost],
    ['a proxy answers 502 in its place', landedThen(502)],
  ] as const) {
    it(`finds its own commit when it landed and ${name}`, async () => {
      const { hub, repo, request } = await rig(/\/commit\/main/, [fault]);
      const outcome = await hub.commit(request);
      const log = await commitsOf(repo);
      assert.deepEqual(outcome, { ok: true, commit: log[0]?.id });
      assert.equal(log.length, 2);
      assert.equal(log[0]?.title, 'Title');
    });
  }

  it('tries a commit again that did not land', async () => {
    const { hub, repo, request, pauses } = await rig(/\/commit\/main/, [lost, status(503), status(409)]);
    const outcome = await hub.commit(request);
    assert.ok(outcome.ok);
    assert.equal((await commitsOf(repo)).length, 2);
    assert.equal(pauses.length, 3);
  });

  it('is told that the branch moved at once, and does not try again', async () => {
    const { hub, request, sent } = await rig(/never/, []);
    await hub.commit(request);
    sent.length = 0;
    assert.deepEqual(await hub.commit({ ...request, add: [{ path: 'b.txt', content: 'b' }] }), { ok: false, reason: 'moved' });
    assert.equal(sent.filter((line) => /\/commit\/main/.test(line)).length, 1);
  });

  it('waits as long as the Hub says after 429', async () => {
    const { hub, request, pauses } = await rig(/\/commit\/main/, [
      status(429, { 'Retry-After': '7' }),
      status(429, { RateLimit: '"api";r=0;t=55' }),
    ]);
    assert.ok((await hub.commit(request)).ok);
    assert.ok((pauses[0] ?? 0) >= 7000 && (pauses[0] ?? 0) <= 8000);
    assert.ok((pauses[1] ?? 0) >= 55_000 && (pauses[1] ?? 0) <= 56_000);
  });

  it('gives up with a temporary error, and with a preflight error on a refused token', async () => {
    const always = Array.from({ length: 40 }, () => status(503));
    const { hub, repo } = await rig(/\/refs/, always);
    await assert.rejects(hub.refs(repo), (error) => error instanceof ZephyrError && error.exit === 'temporary');
    const refused = new RemoteHub({ url: server.url, token: 'hf_wrongwrong' });
    await assert.rejects(
      refused.refs(repo),
      (error) => error instanceof ZephyrError && error.exit === 'preflight' && /token/.test(error.hint ?? ''),
    );
    await assert.rejects(refused.createRepo(repo), (error) => error instanceof ZephyrError && error.exit === 'preflight');
    await assert.rejects(refused.list(), (error) => error instanceof ZephyrError && error.exit === 'preflight');
  });

  it('sends a file above the bound of the client library by itself, and once', async () => {
    const { hub, request, sent } = await rig(/never/, []);
    const file = join(folder, 'large.npz');
    const bytes = Buffer.alloc((64 << 20) + (1 << 20), 'large');
    await writeFile(file, bytes);
    const outcome = await hub.commit({ ...request, add: [{ path: 'large.npz', file }] });
    assert.ok(outcome.ok);
    assert.equal(sent.filter((line) => line.startsWith('PUT')).length, 2);
    const laid = await hub.materialise({ ...request.repo, commit: outcome.commit }, join(folder, 'cache'));
    assert.equal((await stat(join(laid.folder, 'large.npz'))).size, bytes.length);
    sent.length = 0;
    assert.ok((await hub.commit({ ...request, parent: outcome.commit, add: [{ path: 'again.npz', file }] })).ok);
    assert.equal(sent.filter((line) => line.startsWith('PUT')).length, 0);
  });

  it('finds a flipped byte in what it downloads, and lays nothing out', async () => {
    const { hub, request } = await rig(/never/, []);
    const outcome = await hub.commit({ ...request, add: [{ path: 'w.npz', content: Buffer.alloc(50_000, 8) }] });
    assert.ok(outcome.ok);
    const ref = { ...request.repo, commit: outcome.commit };
    const sha = (await hub.tree(ref))[0]?.sha256 ?? '';
    const stored = join(store.root, 'lfs', sha.slice(0, 2), sha.slice(2, 4), sha);
    await chmod(stored, 0o644);
    const handle = await open(stored, 'r+');
    await handle.write(Buffer.from([1]), 0, 1, 100);
    await handle.close();
    const cache = join(folder, 'cache-flipped');
    await assert.rejects(
      hub.materialise(ref, cache),
      (error) => error instanceof ZephyrError && /"w\.npz" has sha256 [0-9a-f]{64}, expected sha256/.test(error.message),
    );
    await assert.rejects(hub.read(ref, 'w.npz'), ZephyrError);
    await assert.rejects(stat(join(cache, `datasets--${ref.name.replace('/', '--')}`, 'snapshots', ref.commit)));
  });

  it('begins a download anew when the connection breaks in the middle', async () => {
    const cut: Fault = async (send) => {
      const bytes = new Uint8Array(await (await send()).arrayBuffer());
      const body = new ReadableStream({
        start: (controller) => {
          controller.enqueue(bytes.subarray(0, 1000));
          controller.error(new TypeError('terminated', { cause: new Error('reset') }));
        },
      });
      return new Response(body, { status: 200 });
    };
    const { hub, request, pauses } = await rig(/\/resolve\//, [cut]);
    const outcome = await hub.commit({ ...request, add: [{ path: 'w.npz', content: Buffer.alloc(50_000, 9) }] });
    assert.ok(outcome.ok);
    const laid = await hub.materialise({ ...request.repo, commit: outcome.commit }, join(folder, 'cache-cut'));
    assert.equal(laid.files.length, 1);
    assert.equal(pauses.length, 1);
  });
});
