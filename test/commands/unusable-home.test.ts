import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
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

test('a home that is set to nothing is the usual one, never the folder of the command', { skip: missing() }, async () => {
  const data = await mkdtemp(join(tmpdir(), 'zephyr-data-'));
  const { code, stderr } = await zephyr({ home: '', env: { XDG_DATA_HOME: data } }, 'status');
  assert.equal(code, 0, stderr);
  assert.equal(stderr, `No runs on ${join(data, 'zephyr', 'hub')}\n`);
});

test('a relative XDG folder counts as none, or each folder would have a Hub of its own', { skip: missing() }, async () => {
  const { home } = await newPlace();
  const { code, stderr } = await zephyr({ home: '', env: { HOME: home, XDG_DATA_HOME: 'data' } }, 'status');
  assert.equal(code, 0, stderr);
  assert.equal(stderr, `No runs on ${join(home, '.local/share/zephyr/hub')}\n`);
});
