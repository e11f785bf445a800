import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertMistake } from '../rig/mistake.ts';
import { missing, newPlace, zephyr } from '../rig/zephyr.ts';

test('a home that takes no folders is told in one sentence', { skip: missing() }, async () => {
  const place = await newPlace();
  const file = join(place.home, 'file');
  await writeFile(file, '');
  assertMistake(await zephyr({ home: file }, 'status'), 3, /a part of the path is no folder/, /ZEPHYR_HOME/);
  if (process.platform !== 'linux') return;
  const ended = await zephyr({ home: '/proc/zephyr' }, 'hub', 'ls');
  assert.equal(ended.signal, null);
  assertMistake(ended, 3, /the file system takes no folders at "\/proc\/zephyr"/, /ZEPHYR_HOME/);
});
