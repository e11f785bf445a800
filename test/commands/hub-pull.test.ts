import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { sha256 } from '../../src/base/sha256.ts';
import type { Addition, Hub } from '../../src/hub/hub.ts';
import { localHub, openLocalHub } from '../../src/hub/local-hub.ts';
import { startHubServer } from '../../src/hub-server/server.ts';
import type { ArtifactRef, RepoId } from '../../src/model/artifact.ts';
import { openStore } from '../../src/store/store.ts';
import { assertMistake } from '../rig/mistake.ts';
import { startProxy } from '../rig/tampering-proxy.ts';
import { CANARY, missing, newPlace, type Place, zephyr } from '../rig/zephyr.ts';

const model: RepoId = { type: 'model', name: 'org/base' };
const data: RepoId = { type: 'dataset', name: 'org/dialogues' };

function safetensors(bytes: number): Buffer {
  const header = Buffer.from(JSON.stringify({ w: { dtype: 'U8', shape: [bytes], data_offsets: [0, bytes] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(bytes, 'weights')]);
}

async function committed(hub: Hub, repo: RepoId, add: readonly Addition[]): Promise<ArtifactRef> {
  await hub.createRepo(repo);
  const parent = (await hub.resolve({ ...repo, revision: 'main' })) ?? '';
  const outcome = await hub.commit({ repo, branch: 'main', parent, message: 'x', add });
  assert.ok(outcome.ok);
  return { ...repo, commit: outcome.commit };
}

describe('zephyr hub pull, push and rm', { skip: missing() }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-other-'));
  const store = await openStore(join(folder, 'hub'));
  const other = localHub(store);
  const server = await startHubServer({ store, token: CANARY, secret: 's' });
  after(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });
  const base = await committed(other, model, [
    { path: 'config.json', content: '{}' },
    { path: 'model.safetensors', content: safetensors(3_000_000) },
    { path: 'pytorch_model.bin', content: Buffer.alloc(100) },
    { path: 'consolidated.safetensors', content: safetensors(1000) },
    { path: 'onnx/model.onnx', content: Buffer.alloc(100) },
  ]);
  await committed(other, data, [
    { path: 'data/train.jsonl', content: '{}\n' },
    { path: 'data/test.jsonl', content: '{}\n' },
  ]);
  const pull = async (place: Place, ...args: string[]) => await zephyr(place, 'hub', 'pull', ...args, '--from', server.url);
  const paths = async (place: Place, repo: RepoId, revision = 'main'): Promise<string[]> => {
    const hub = await openLocalHub(join(place.home, 'hub'));
    const commit = (await hub.resolve({ ...repo, revision })) ?? '';
    return (await hub.tree({ ...repo, commit })).map(({ path }) => path);
  };

  it('brings models and data sets, each weight once, and names them by their commit there as well', async () => {
    const place = await newPlace();
    const done = await pull(place, 'hf://models/org/base', 'hf://datasets/org/dialogues');
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /^hf:\/\/models\/org\/base@[0-9a-f]{40}\nhf:\/\/datasets\/org\/dialogues@[0-9a-f]{40}\n$/);
    assert.match(
      done.stderr,
      /pulling hf:\/\/models\/org\/base@[0-9a-f]{40}: 2 files, 2\.9 MiB; not consolidated\.safetensors, onnx/,
    );
    assert.deepEqual(await paths(place, model), ['config.json', 'model.safetensors']);
    assert.deepEqual(await paths(place, model, base.commit), ['config.json', 'model.safetensors']);
    assert.deepEqual(await readdir(join(place.home, 'hub', 'pulls')), []);
    const again = await pull(place, `hf://models/org/base@${base.commit}`);
    assert.match(again.stderr, /is here already/);
    assert.equal(again.stdout, `${done.stdout.split('\n')[0]}\n`);
  });

  it('brings what --include and --exclude say, into the repo that --as names', async () => {
    const place = await newPlace();
    const done = await pull(
      place,
      'hf://datasets/org/dialogues',
      '--include',
      '*.jsonl',
      '--exclude',
      'data/test*',
      '--as',
      'hf://datasets/me/d',
    );
    assert.equal(done.code, 0, done.stderr);
    assert.deepEqual(await paths(place, { type: 'dataset', name: 'me/d' }), ['data/train.jsonl']);
    assertMistake(await pull(place, 'hf://datasets/org/dialogues', '--include', '*.csv'), 2, /none of its 2 files is chosen/);
  });

  it('goes on by range with what a killed process has left', async (t) => {
    const place = await newPlace();
    const proxy = await startProxy(server.url);
    t.after(proxy.close);
    const bytes = safetensors(3_000_000);
    const blobs = join(place.home, 'hub', 'pulls', 'models--org--base', 'blobs');
    await mkdir(blobs, { recursive: true });
    await writeFile(join(blobs, `${sha256(bytes)}.999999999:1:gone:none.part`), bytes.subarray(0, 1_234_567));
    const done = await zephyr(place, 'hub', 'pull', 'hf://models/org/base', '--from', proxy.url);
    assert.equal(done.code, 0, done.stderr);
    assert.deepEqual(proxy.ranges, ['bytes=1234567-']);
    assert.deepEqual(await paths(place, model), ['config.json', 'model.safetensors']);
  });

  it('replaces nothing that was not pulled, refuses pickles, and says what is not there', async () => {
    const place = await newPlace();
    await mkdir(join(folder, 'mine'), { recursive: true });
    await writeFile(join(folder, 'mine', 'config.json'), '{"mine":1}');
    assert.equal((await zephyr(place, 'hub', 'import', join(folder, 'mine'), '--as', 'hf://models/org/base')).code, 0);
    assertMistake(await pull(place, 'hf://models/org/base'), 6, /its branch main holds what was not pulled/, /--as hf:/);
    await committed(other, { type: 'model', name: 'org/old' }, [
      { path: 'pytorch_model.bin', content: Buffer.alloc(9) },
      { path: 'config.json', content: '{}' },
    ]);
    assertMistake(await pull(place, 'hf://models/org/old'), 2, /its weights are pickles alone \("pytorch_model\.bin"\)/);
    assertMistake(await pull(place, 'hf://models/org/none'), 3, /no such repo or revision/);
    assertMistake(await pull(place, 'nonsense'), 2, /expected hf:\/\/models/);
  });

  it('is named by the hint of a run whose base is not there', async () => {
    const place = await newPlace();
    const recipe = await readFile(join(import.meta.dirname, '..', '..', 'configs', 'zephyr-7b-published.yaml'), 'utf8');
    await writeFile(join(folder, 'recipe.yaml'), recipe);
    const planned = await zephyr(place, 'dsft', join(folder, 'recipe.yaml'), '--set', 'namespace=me');
    assertMistake(planned, 3, /Cannot find "hf:\/\/models\/mistralai\/Mistral-7B-v0\.1"/, /zephyr hub pull hf:\/\//);
  });

  it('says that a web page stands in the place of a Hub', async () => {
    const portal = createServer((_, response) =>
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>Log in</html>'),
    );
    await new Promise<void>((resolve) => portal.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(portal.address() as AddressInfo).port}`;
    const ended = await zephyr(await newPlace(), 'hub', 'pull', 'hf://models/org/base', '--from', url);
    portal.close();
    assertMistake(ended, 75, /answered with a web page/, /log in to the network/);
  });

  it('pushes an artifact once, and deletes repos, branches and tags with --yes alone', async () => {
    const place = await newPlace();
    assert.equal((await pull(place, 'hf://models/org/base')).code, 0);
    const push = ['hub', 'push', 'hf://models/org/base', '--as', 'hf://models/org/copy', '--to', server.url];
    const first = await zephyr(place, ...push);
    assert.equal(first.code, 0, first.stderr);
    const second = await zephyr(place, ...push);
    assert.equal(second.stdout, first.stdout);
    assert.match(second.stderr, /holds that already/);
    const taken = await zephyr(place, 'hub', 'push', 'hf://models/org/base', '--as', 'hf://models/org/old', '--to', server.url);
    assertMistake(taken, 6, /holds what zephyr did not put there/, /--yes/);
    assertMistake(await zephyr(place, 'hub', 'rm', 'hf://models/org/base'), 4, /deleted without a yes/, /--yes/);
    assert.equal((await zephyr(place, 'hub', 'rm', `hf://models/org/base@from-${base.commit}`, '--yes')).code, 0);
    assert.equal((await zephyr(place, 'hub', 'rm', 'hf://models/org/base', '--yes')).code, 0);
    assertMistake(await zephyr(place, 'hub', 'rm', 'hf://models/org/base', '--yes'), 3, /has no such repo/);
  });
});
