import assert from 'node:assert/strict';
import { mkdtemp, readdir, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ingestBytes } from '../../src/store/large-files.ts';
import { deleteRepo } from '../../src/store/repos.ts';
import { openStore } from '../../src/store/store.ts';
import { assertMistake } from '../rig/mistake.ts';
import { missing, newPlace, zephyr } from '../rig/zephyr.ts';

test('a look tells what would go and how, and with --yes it goes', { skip: missing() }, async () => {
  const place = await newPlace();
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-pruned-'));
  await writeFile(join(folder, 'rows.npz'), Buffer.alloc(300_000, 1));
  assert.equal((await zephyr(place, 'hub', 'import', folder, '--as', 'hf://datasets/test/gone')).code, 0);
  assert.deepEqual(JSON.parse((await zephyr(place, 'hub', 'prune', '--json')).stdout), {
    kind: 'done',
    exit: 0,
    ids: [],
    files: 0,
    bytes: 0,
    heldBytes: 0,
    unfinished: { files: 0, bytes: 0 },
    deleted: false,
  });
  await deleteRepo(await openStore(join(place.home, 'hub')), { type: 'dataset', name: 'test/gone' });
  const look = await zephyr(place, 'hub', 'prune');
  assert.equal(
    look.stdout,
    '1 large file that no branch and no tag leads to: 0 B\n293 KiB more are in use outside of the Hub (job folders, caches, what was imported)\n',
  );
  assert.match(look.stderr, /zephyr hub prune --yes/);
  const done = await zephyr(place, 'hub', 'prune', '--yes');
  assert.equal(done.code, 0);
  assert.match(done.stdout, /^deleted 1 large file /);
  assert.equal(done.stderr, '');
  assert.match((await zephyr(place, 'hub', 'prune')).stdout, /^0 large files /);
  assertMistake(await zephyr(place, 'hub', 'prune', '--hub', 'http://127.0.0.1:9'), 2, /a Hub over HTTP keeps its own house/);
});

test('what killed uploads left is counted, and given back', { skip: missing() }, async () => {
  const place = await newPlace();
  const store = await openStore(join(place.home, 'hub'));
  // an upload in parts whose client is gone, and one that came whole and whose commit never did
  await writeFile(join(store.root, 'tmp', 'a'.repeat(24)), Buffer.alloc(3 << 20, 1));
  await utimes(join(store.root, 'tmp', 'a'.repeat(24)), 0, Date.now() / 1000 - 60);
  const { sha256 } = await ingestBytes(store, Buffer.alloc(300_000, 2));
  await writeFile(join(store.root, 'wanted', sha256), '999999999:1:gone:none');
  const look = await zephyr(place, 'hub', 'prune');
  assert.match(look.stdout, /^1 large file .*: 293 KiB\n1 unfinished transfer: 3\.0 MiB\n$/);
  assert.match(look.stderr, /zephyr hub prune --yes/);
  assert.match((await zephyr(place, 'hub', 'prune', '--yes')).stdout, /deleted 1 unfinished transfer: 3\.0 MiB\n$/);
  assert.deepEqual(await readdir(join(store.root, 'tmp')), []);
  assert.match((await zephyr(place, 'hub', 'prune')).stdout, /^0 large files [^\n]*\n$/);
});
