import assert from 'node:assert/strict';
import { mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { AT_ONCE } from '../../src/hub/transfer.ts';
import { startProxy, type TamperingProxy } from '../rig/tampering-proxy.ts';
import { onTerminal } from '../rig/terminal.ts';
import { missing, newPlace, type Place, start, zephyr } from '../rig/zephyr.ts';
import { importFolder, startHub, stopStage } from './early-stop.ts';
import { type Tiny, writeTiny } from './tiny.ts';

const FILES = 24;
/** more than a small file of a commit may have */
const BYTES = 200_000;
const MANY = 'hf://datasets/test/many';

/** A safetensors file of one tensor of this many bytes. */
function weights(bytes: number): Buffer {
  const header = Buffer.from(`{"w":{"dtype":"U8","shape":[${bytes}],"data_offsets":[0,${bytes}]}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(bytes, 'w')]);
}

describe('what moves to a remote Hub and from it', { skip: missing(), concurrency: false }, () => {
  let tiny: Tiny;
  let local: Place;
  let client: Place;
  let proxy: TamperingProxy;
  let folder: string;

  before(async () => {
    tiny = await writeTiny();
    [local, client] = [await newPlace(), await newPlace()];
    folder = await mkdtemp(join(tmpdir(), 'zephyr-many-'));
    for (let i = 0; i < FILES; i += 1) await writeFile(join(folder, `w-${i}.npz`), Buffer.alloc(BYTES, i + 1));
    await importFolder(local, folder, MANY);
  });

  /** The embedded Hub of a fresh place behind a proxy, and how a client of it is told where it is. */
  async function remote(t: { after: (end: () => Promise<void>) => void }): Promise<Place> {
    const place = await newPlace();
    const hub = await startHub(place);
    proxy = await startProxy(hub.url);
    t.after(async () => {
      await proxy.close();
      await hub.stop();
    });
    const token = (await readdir(join(place.home, 'hub'))).includes('token') ? join(place.home, 'hub', 'token') : '';
    return { home: place.home, env: { HF_TOKEN: '', HF_TOKEN_PATH: token, HF_ENDPOINT: proxy.url } };
  }

  const count = (method: string, path: RegExp): number =>
    proxy.passed.filter((line) => line.startsWith(`${method} `) && path.test(line)).length;

  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    test(`is sent and fetched once but for what was under way, when ${signal} comes in the middle`, async (t) => {
      const hub = await remote(t);
      const here: Place = { home: local.home, env: hub.env ?? {} };
      const pushed = await start(here, ['hub', 'push', MANY, '--to', proxy.url]);
      proxy.tamper({ method: 'PUT', path: /\/api\/lfs/, how: 'after', skip: 11, does: () => pushed.child.kill(signal) });
      const stopped = await pushed.ended;
      assert.equal(stopped.code, signal === 'SIGINT' ? 130 : null, stopped.stderr);
      const done = await zephyr(here, 'hub', 'push', MANY, '--to', proxy.url);
      assert.equal(done.code, 0, done.stderr);
      const puts = count('PUT', /\/api\/lfs/);
      assert.ok(puts <= FILES + AT_ONCE, `${puts} PUTs of ${FILES} files`);
      assert.equal(count('POST', /\/commit\/main/), 1);

      const there: Place = { home: (await newPlace()).home, env: hub.env ?? {} };
      const pulled = await start(there, ['hub', 'pull', MANY, '--from', proxy.url]);
      proxy.tamper({ method: 'GET', path: /\/resolve\/.*npz$/, how: 'half', skip: 11, does: () => pulled.child.kill(signal) });
      assert.equal((await pulled.ended).code, signal === 'SIGINT' ? 130 : null);
      const came = await zephyr(there, 'hub', 'pull', MANY, '--from', proxy.url);
      assert.equal(came.code, 0, came.stderr);
      const gets = count('GET', /\/resolve\/.*npz$/);
      assert.ok(gets <= FILES + AT_ONCE, `${gets} GETs of ${FILES} files`);
    });
  }

  test('is told by an import as by a push: of what, to where, and how far it is; Ctrl-C keeps what was sent', async (t) => {
    const hub = await remote(t);
    const here: Place = { home: (await newPlace()).home, env: hub.env ?? {} };
    const args = ['hub', 'import', folder, '--as', 'hf://datasets/test/imported', '--hub', proxy.url];
    const first = await start(here, args);
    proxy.tamper({ method: 'PUT', path: /\/api\/lfs/, how: 'after', skip: 11, does: () => first.child.kill('SIGINT') });
    const stopped = await first.ended;
    assert.equal(stopped.code, 130, stopped.stderr);
    assert.match(stopped.stderr, /^importing \S+ to http:\S+: 24 files, 4\.\d MiB$/m);
    // the second try of a request comes late enough for a line of progress before its bytes are counted
    proxy.tamper({ method: 'PUT', path: /\/api\/lfs/, how: 'before' });
    const terminal = await onTerminal(here, 200, args);
    assert.equal(await terminal.ended, 0, terminal.printed());
    assert.match(terminal.printed(), /datasets\/test\/imported {2}w-\d+\.npz {2}\d+ % {2}4\.\d MiB of 4\.\d MiB/);
    const puts = count('PUT', /\/api\/lfs/);
    assert.ok(puts <= FILES + AT_ONCE, `${puts} PUTs of ${FILES} files`);
  });

  test('as an input of a job stops at the first Ctrl-C, and goes on where it stopped', async (t) => {
    const hub = await remote(t);
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-base-'));
    await writeFile(join(folder, 'config.json'), '{"model_type": "mistral"}\n');
    await writeFile(join(folder, 'model.safetensors'), weights(3_000_000));
    await stopStage({ home: hub.home });
    await importFolder({ home: hub.home }, folder, 'hf://models/test/large');
    client = { home: client.home, env: hub.env ?? {} };
    const args = ['dsft', tiny.recipe, '--on', tiny.on('process'), '--set', 'base=hf://models/test/large', '--hub', proxy.url];
    const first = await start(client, args);
    proxy.tamper({ method: 'GET', path: /\/resolve\/.*safetensors/, how: 'half', does: () => first.child.kill('SIGINT') });
    const stopped = await first.ended;
    assert.equal(stopped.code, 130, stopped.stderr);
    assert.match(stopped.stderr, /^Detached from dsft\/prepare with files on their way from the Hub; what has moved is kept$/m);
    const [, id = ''] = /resume: zephyr resume (\S+)/.exec(stopped.stderr) ?? [];
    proxy.ranges.length = 0;
    // the base has no tokenizer, which ends the stage as soon as its files are there
    const again = await zephyr(client, 'resume', id, '--hub', proxy.url);
    assert.equal(again.code, 2, again.stderr);
    assert.deepEqual(proxy.ranges.length, 1);
    assert.match(proxy.ranges[0] ?? '', /^bytes=\d{6,}-$/);
    assert.deepEqual(await readdir(join(client.home, 'downloads')), []);
  });
});
