import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { ZephyrError } from '../../src/errors.ts';
import type { Hub } from '../../src/hub/hub.ts';
import { RemoteHub } from '../../src/hub/remote-hub.ts';
import { RetryPolicy } from '../../src/hub/retry-policy.ts';
import { AT_ONCE } from '../../src/hub/transfer.ts';
import { planUpload, type UploadPlan } from '../../src/hub/upload-plan.ts';
import type { ArtifactRef } from '../../src/model/artifact.ts';
import { startFaultyServer, token } from './faulty-hub.ts';
import { type SignedStore, signedStore } from './signed-store.ts';

const SIZE = (32 << 20) + 15;

describe('Large files of a remote Hub', async () => {
  const server = await startFaultyServer();
  after(server.close);
  const pause = async (): Promise<void> => undefined;

  /** A commit with a file of 300,000 bytes, and a client whose downloads are answered by `answer` as long as it does. */
  async function downloading(
    answer: (send: () => Promise<Response>, tries: number) => Promise<Response> | undefined,
  ): Promise<{ hub: Hub; ref: ArtifactRef; bytes: Buffer; ranges: (string | null)[] }> {
    const { hub: plain, request, repo } = await server.rig(/never/, []);
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) % 251));
    const outcome = await plain.commit({ ...request, add: [{ path: 'w.npz', content: bytes }] });
    assert.ok(outcome.ok);
    const ranges: (string | null)[] = [];
    const hub = new RemoteHub({
      url: server.url,
      token,
      pause,
      fetch: async (input, init) => {
        if (!String(input).includes('/resolve/')) return await fetch(input, init);
        ranges.push(new Headers(init?.headers).get('Range'));
        const send = (): Promise<Response> => fetch(input, init);
        return (await answer(send, ranges.length)) ?? (await send());
      },
    });
    return { hub, ref: { ...repo, commit: outcome.commit }, bytes, ranges };
  }

  async function cut(response: Response, at: number): Promise<Response> {
    const bytes = new Uint8Array(await response.arrayBuffer());
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(bytes.subarray(0, at)),
      pull: (controller) => controller.error(new TypeError('terminated', { cause: new Error('reset') })),
    });
    return new Response(body, { status: response.status, headers: response.headers });
  }
  let caches = 0;
  async function laid(hub: Hub, ref: ArtifactRef): Promise<Buffer> {
    caches += 1;
    const { folder } = await hub.materialise(ref, join(server.folder, `cache-${caches}`));
    return await readFile(join(folder, 'w.npz'));
  }

  it('go on by range where a connection broke, as often as it does', async () => {
    const { hub, ref, bytes, ranges } = await downloading(async (send, tries) =>
      tries <= 25 ? await cut(await send(), 10_000) : await send(),
    );
    assert.deepEqual(await laid(hub, ref), bytes);
    assert.deepEqual(ranges.slice(0, 3), [null, 'bytes=10000-', 'bytes=20000-']);
  });

  it('begin anew where the server knows no ranges, or answers another one', async () => {
    const others: ((send: () => Promise<Response>) => Promise<Response>)[] = [
      async () => {
        const whole = await fetch(`${server.url}/${address}`, { headers: { Authorization: `Bearer ${token}` } });
        return new Response(await whole.arrayBuffer());
      },
      async () => new Response('xx', { status: 206, headers: { 'Content-Range': 'bytes 5-6/300000' } }),
      async () => new Response(null, { status: 416, headers: { 'Content-Range': 'bytes */300000' } }),
    ];
    let address = '';
    for (const other of others) {
      const { hub, ref, bytes } = await downloading(async (send, tries) => {
        if (tries === 1) return await cut(await send(), 10_000);
        return tries === 2 ? await other(send) : await send();
      });
      address = `datasets/${ref.name}/resolve/${ref.commit}/w.npz`;
      assert.deepEqual(await laid(hub, ref), bytes);
    }
  });

  it('are taken as they are when a proxy packs them, or says another length', async () => {
    const { hub, ref, bytes } = await downloading(async (send) => {
      const body = new Uint8Array(await (await send()).arrayBuffer());
      return new Response(
        new Blob([body]).stream().pipeThrough(new CompressionStream('gzip')).pipeThrough(new DecompressionStream('gzip')),
        {
          headers: { 'Content-Encoding': 'gzip', 'Content-Length': String(gzipSync(body).length) },
        },
      );
    });
    assert.deepEqual(await laid(hub, ref), bytes);
  });

  it('whose hash is wrong are asked for once more before the copy is called damaged', async () => {
    const flipped = async (send: () => Promise<Response>): Promise<Response> => {
      const bytes = new Uint8Array(await (await send()).arrayBuffer());
      bytes[1234] = 1 ^ (bytes[1234] ?? 0);
      return new Response(bytes);
    };
    const once = await downloading(async (send, tries) => (tries === 1 ? await flipped(send) : await send()));
    assert.deepEqual(await laid(once.hub, once.ref), once.bytes);
    const always = await downloading((send) => flipped(send));
    await assert.rejects(laid(always.hub, always.ref), /file "w\.npz" has sha256 \w+, expected sha256/);
    assert.equal(always.ranges.length, 2);
    const long = await downloading(
      async (send) => new Response(Buffer.concat([Buffer.from(await (await send()).arrayBuffer()), Buffer.of(1)])),
    );
    await assert.rejects(laid(long.hub, long.ref), /has 300001 bytes, expected 300000 bytes/);
    const short = await downloading(async (send, tries) =>
      tries % 2 === 1
        ? new Response((await (await send()).arrayBuffer()).slice(0, 1000))
        : new Response(null, { status: 416, headers: { 'Content-Range': 'bytes */1000' } }),
    );
    await assert.rejects(laid(short.hub, short.ref), /has 1000 bytes, expected 300000 bytes/);
  });

  /** A file of 15 parts, and a process that sends it: `before` may end it. */
  async function uploading(parts = 15): Promise<{
    store: ReturnType<typeof signedStore>;
    send: () => Promise<unknown>;
    plan: () => Promise<UploadPlan>;
  }> {
    const { request } = await server.rig(/never/, []);
    const file = join(server.folder, `large-${request.repo.name.replace('/', '-')}.npz`);
    await writeFile(file, Buffer.alloc(SIZE, request.repo.name));
    const store = signedStore(server.store, parts);
    const uploads = join(server.folder, 'uploads');
    const asked = { ...request, add: [{ path: 'w.npz', file }] };
    const open = { url: server.url, token, pause, uploads, fetch: store.fetch };
    const retries = new RetryPolicy(open);
    const remote = { ...open, plain: store.fetch, retries, downloads: undefined, rangeBytes: 0 };
    return { store, send: () => new RemoteHub(open).commit(asked), plan: () => planUpload(remote, asked) };
  }

  /** Every part before this one comes; it and those behind it end with the process. */
  function killedAt(store: SignedStore, last: number): SignedStore['before'] {
    const earlier = Promise.withResolvers<void>();
    const killed = earlier.promise.then(() => Promise.reject(new Error('killed')));
    killed.catch(() => undefined);
    return (part) => {
      if (part >= last) return killed;
      setTimeout(function look(): void {
        if (store.came.length < last - 1) setTimeout(look, 5);
        else earlier.resolve();
      }, 5);
      return undefined;
    };
  }

  it('go up from the ninth part of fifteen after the process was killed there', async () => {
    const { store, send } = await uploading();
    store.before = killedAt(store, 9);
    await assert.rejects(send(), /killed/);
    assert.deepEqual(store.came.toSorted(), [1, 2, 3, 4, 5, 6, 7, 8]);
    store.came.length = 0;
    store.before = () => undefined;
    assert.equal(((await send()) as { ok: boolean }).ok, true);
    assert.deepEqual(
      store.came.toSorted((a, b) => a - b),
      [9, 10, 11, 12, 13, 14, 15],
    );
    assert.equal(store.asked(), 1);
  });

  it('are planned by what the Hub says and by what was kept, before any of them moves', async () => {
    const { store, send, plan } = await uploading();
    const first = await plan();
    assert.deepEqual([first.total, first.missing, first.large[0]?.way.kind], [SIZE, SIZE, 'parts']);
    store.before = killedAt(store, 9);
    await assert.rejects(send(), /killed/);
    const chunk = Math.ceil(SIZE / 15);
    assert.deepEqual([(await plan()).missing, store.came.length], [SIZE - 8 * chunk, 8]);
    store.before = () => undefined;
    await send();
    const { missing, large, pointers } = await plan();
    assert.deepEqual([missing, large[0]?.way.kind, pointers.map(({ path }) => path)], [0, 'held', ['w.npz']]);
  });

  it('go up in a bounded number of parts at once', async () => {
    const { store, send } = await uploading();
    let [underWay, most] = [0, 0];
    store.before = async (part) => {
      if (part === 0) return undefined;
      underWay += 1;
      most = Math.max(most, underWay);
      await sleep(20);
      underWay -= 1;
      return undefined;
    };
    assert.equal(((await send()) as { ok: boolean }).ok, true);
    assert.ok(most > 1 && most <= AT_ONCE, `${most} at once`);
  });

  it('get new addresses when theirs have expired, and no message shows one', async () => {
    const { store, send } = await uploading(3);
    const expired = (): Response =>
      new Response('<?xml version="1.0"?><Error><Message>Request has expired</Message></Error>', { status: 403 });
    let left = 1;
    store.before = (part) => {
      if (part !== 2 || left === 0) return undefined;
      left -= 1;
      return expired();
    };
    assert.equal(((await send()) as { ok: boolean }).ok, true);
    assert.equal(store.asked(), 2);
    const never = await uploading(3);
    never.store.before = expired;
    await assert.rejects(never.send(), (error) => {
      assert.ok(error instanceof ZephyrError && error.exit === 'temporary');
      assert.match(error.message, /refused 3 times, at last with 403: Request has expired$/);
      assert.doesNotMatch(`${error.message} ${error.hint}`, /Signature|secret|token/);
      return true;
    });
  });

  it('begin anew when the store has forgotten the parts of a killed upload', async () => {
    const { store, send } = await uploading(3);
    store.before = killedAt(store, 3);
    await assert.rejects(send(), /killed/);
    store.before = (part) => (part === 3 && store.asked() === 1 ? new Response(null, { status: 404 }) : undefined);
    assert.equal(((await send()) as { ok: boolean }).ok, true);
    assert.deepEqual(store.came.toSorted(), [1, 1, 2, 2, 3]);
  });
});
