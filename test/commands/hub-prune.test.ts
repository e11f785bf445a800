import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deleteRepo } from '../../src/store/repos.ts';
import { openStore } from '../../src/store/store.ts';
import { assertMistake } from '../rig/mistake.ts';
import { missing, newPlace, zephyr } from '../rig/zephyr.ts';

test('a look tells what would go and how, and with --yes it goes', { skip: missing() }, async () => {
  const place = await newPlace();
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-pruned-'));
  await writeFile(join(folder, 'rows.parquet'), Buffer.alloc(300_000, 1));
  assert.equal((await zephyr(place, 'hub', 'import', folder, '--as', 'hf://datasets/test/gone')).code, 0);
  assert.deepEqual(JSON.parse((await zephyr(place, 'hub', 'prune', '--json')).stdout), {
    files: 0,
    bytes: 0,
    heldBytes: 0,
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
