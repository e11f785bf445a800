import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeFolder } from '../../src/base/atomic-write.ts';

const root = await mkdtemp(join(tmpdir(), 'zephyr-folders-'));
after(() => rm(root, { recursive: true }));

test('folders on the way are made, the topmost of them is named, and what is there is left alone', async () => {
  assert.equal(await makeFolder(join(root, 'a', 'b', 'c')), join(root, 'a'));
  assert.equal(await makeFolder(join(root, 'a', 'b', 'c')), undefined);
  assert.equal(await makeFolder(join(root, 'a', 'b', 'd')), join(root, 'a', 'b', 'd'));
});

test('all who make the same folder at once succeed', async () => {
  const path = join(root, 'many', 'at', 'once');
  await Promise.all(Array.from({ length: 20 }, () => makeFolder(path)));
});

test('a file in the way is an error', async () => {
  await writeFile(join(root, 'file'), '');
  await assert.rejects(makeFolder(join(root, 'file')), { code: 'EEXIST' });
  await assert.rejects(makeFolder(join(root, 'file', 'below')), { code: 'ENOTDIR' });
});
