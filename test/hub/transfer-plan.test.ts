import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { sha256 } from '../../src/base/sha256.ts';
import { planDownload, type RemoteEntry } from '../../src/hub/download-plan.ts';
import { RemoteHub } from '../../src/hub/remote-hub.ts';
import { AT_ONCE } from '../../src/hub/transfer.ts';
import type { ArtifactRef } from '../../src/model/artifact.ts';
import { startFaultyServer, token } from './faulty-hub.ts';

/** The mark of a process of another boot. */
const DEAD = '999999999:1:gone:none';
const RANGE = 10_000;

describe('What a download has to move', async () => {
  const server = await startFaultyServer();
  after(server.close);
  const bytes = (size: number, seed: number): Buffer => Buffer.from(Array.from({ length: size }, (_, i) => (i * seed) % 251));
  const entry = (path: string, content: Buffer): RemoteEntry => ({
    path,
    size: content.length,
    oid: '0'.repeat(40),
    sha256: sha256(content),
  });

  it('is planned from the listing and the disk, which stays as it is', async () => {
    const [blobs, downloads] = [join(server.folder, 'plan', 'blobs'), join(server.folder, 'plan', 'downloads')];
    for (const folder of [blobs, downloads]) await mkdir(folder, { recursive: true });
    const contents = Object.fromEntries(
      ['here', 'kept', 'begun', 'marked', 'living', 'new'].map((name, i) => [name, bytes(25_000, 3 + i)]),
    );
    const entries = Object.entries(contents).map(([path, content]) => entry(path, content));
    const named = (name: string): string => entry(name, contents[name] ?? Buffer.of()).sha256 ?? '';
    const part = (name: string, mark: string): string => join(downloads, `${named(name)}.${mark}.part`);
    await writeFile(join(blobs, named('here')), contents.here ?? '');
    await writeFile(join(downloads, named('kept')), contents.kept ?? '');
    await writeFile(part('begun', DEAD), bytes(12_000, 1));
    // in ranges: the whole length, and behind it how much of each is there
    const marks = Buffer.alloc(24);
    for (const [i, done] of [10_000, 0, 4000].entries()) marks.writeBigUInt64LE(BigInt(done), 8 * i);
    await writeFile(part('marked', DEAD), Buffer.concat([bytes(25_000, 1), marks]));
    await writeFile(part('living', 'another-machine'), bytes(12_000, 1));
    const before = [await readdir(blobs), await readdir(downloads)];
    const plan = await planDownload(
      { downloads, rangeBytes: RANGE },
      [...entries, { ...entry('twin', bytes(25_000, 8)) }],
      blobs,
    );
    const seen = plan.files.map(({ copy, begun, ranges }) => [
      copy !== undefined,
      begun !== undefined,
      ranges.map(({ done }) => done),
    ]);
    assert.deepEqual(seen, [
      [true, false, [0, 0, 0]],
      [true, false, [0, 0, 0]],
      [false, true, [10_000, 2000, 0]],
      [false, true, [10_000, 0, 4000]],
      [false, false, [0, 0, 0]],
      [false, false, [0, 0, 0]],
    ]);
    assert.deepEqual([plan.total, plan.missing], [150_000, 13_000 + 11_000 + 50_000]);
    assert.deepEqual([await readdir(blobs), await readdir(downloads)], before);
  });

  /** A commit with two files, and clients that ask for them in ranges; `answer` may stand in for the server. */
  async function inRanges(
    answer: (send: () => Promise<Response>) => Promise<Response> = (send) => send(),
  ): Promise<{ ref: ArtifactRef; large: Buffer; open: () => RemoteHub; asked: string[]; most: () => number }> {
    const { hub, request, repo } = await server.rig(/never/, []);
    const large = bytes(20 * RANGE + 1234, 7);
    const add = [
      { path: 'large.npz', content: large },
      { path: 'small.npz', content: bytes(RANGE, 5) },
    ];
    const outcome = await hub.commit({ ...request, add });
    assert.ok(outcome.ok);
    const asked: string[] = [];
    let [underWay, most] = [0, 0];
    const open = (): RemoteHub =>
      new RemoteHub({
        url: server.url,
        token,
        pause: async () => undefined,
        rangeBytes: RANGE,
        downloads: join(server.folder, `downloads-${repo.name.slice(4)}`),
        fetch: async (input, init) => {
          if (!String(input).includes('/resolve/')) return await fetch(input, init);
          asked.push(`${String(input).split('/').at(-1)} ${new Headers(init?.headers).get('Range')}`);
          underWay += 1;
          most = Math.max(most, underWay);
          return await answer(() => fetch(input, init)).finally(() => {
            underWay -= 1;
          });
        },
      });
    return { ref: { ...repo, commit: outcome.commit }, large, open, asked, most: () => most };
  }

  it('comes in ranges, a bounded number of them at once', async () => {
    const { ref, large, open, asked, most } = await inRanges();
    const { folder } = await open().materialise(ref, join(server.folder, 'in-ranges'));
    assert.deepEqual(await readFile(join(folder, 'large.npz')), large);
    assert.equal(asked.filter((line) => line.startsWith('large')).length, 21);
    assert.ok(asked.includes('small.npz null') && asked.includes('large.npz bytes=200000-201233'));
    assert.ok(most() > 1 && most() <= AT_ONCE, `${most()} at once`);
  });

  it('is asked for once, whatever stops it, although the folder of the first try is gone', async () => {
    const { ref, large, open, asked } = await inRanges();
    const cache = join(server.folder, 'stopped');
    const stop = new AbortController();
    let done = 0;
    const progress = (now: { readonly done: number }): void => {
      done = now.done;
      if (done > 8 * RANGE) stop.abort();
    };
    await assert.rejects(open().materialise(ref, cache, { signal: stop.signal, progress }), { exit: 'detached' });
    await rm(cache, { recursive: true });
    asked.length = 0;
    const told: number[] = [];
    const { folder } = await open().materialise(ref, cache, { progress: (now) => told.push(now.done) });
    assert.deepEqual(await readFile(join(folder, 'large.npz')), large);
    assert.ok((told[0] ?? 0) > done, 'what came before is counted from the start');
    const again = asked.flatMap((line) => {
      const [, from, to] = /^large.*bytes=(\d+)-(\d+)$/.exec(line) ?? [];
      return from === undefined ? [] : [Number(to) + 1 - Number(from)];
    });
    const bytesAgain = again.reduce((sum, size) => sum + size, 0) + (asked.includes('small.npz null') ? RANGE : 0);
    assert.equal(bytesAgain, large.length + RANGE - done);
    assert.deepEqual(await readdir(join(server.folder, `downloads-${ref.name.slice(4)}`)), []);
  });

  it('comes whole where the server knows no ranges', async () => {
    const { ref, large, open } = await inRanges(async (send) => {
      const whole = await send();
      if (whole.status !== 206) return whole;
      await whole.body?.cancel();
      const address = `${server.url}/datasets/${ref.name}/resolve/${ref.commit}/large.npz`;
      return await fetch(address, { headers: { Authorization: `Bearer ${token}` } });
    });
    const { folder } = await open().materialise(ref, join(server.folder, 'no-ranges'));
    assert.deepEqual(await readFile(join(folder, 'large.npz')), large);
  });
});
