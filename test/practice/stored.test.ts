import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ChatCompletion, openStored } from '../../src/practice/stored.ts';

const completion = (id: string, metadata: Record<string, string>, model = 'm'): ChatCompletion => ({
  id,
  object: 'chat.completion',
  created: 0,
  model,
  choices: [],
  usage: {},
  metadata,
});
const add = (stored: ReturnType<typeof openStored>, kept: ChatCompletion) =>
  stored.add({ at: '', model: kept.model, key: kept.metadata?.zephyr_key ?? null, completion: kept });

test('stored answers are found by key, model and other metadata, before and after a restart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-stored-'));
  try {
    const path = join(folder, 'log.jsonl');
    const stored = openStored(path);
    add(stored, completion('1', { zephyr_key: 'a', run: 'x' }));
    add(stored, completion('2', { zephyr_key: 'a', run: 'y' }));
    add(stored, completion('3', { zephyr_key: 'b', run: 'x' }, 'other'));
    add(stored, completion('4', { run: 'x' }));
    stored.close();
    for (const each of [stored, openStored(path)]) {
      const ids = (model: string | undefined, metadata: Record<string, string>) => each.list(model, metadata).map(({ id }) => id);
      assert.deepEqual(ids(undefined, { zephyr_key: 'a' }), ['1', '2']);
      assert.deepEqual(ids(undefined, { zephyr_key: 'a', run: 'y' }), ['2']);
      assert.deepEqual(ids('other', { zephyr_key: 'a' }), []);
      assert.deepEqual(ids(undefined, { zephyr_key: 'none' }), []);
      assert.deepEqual(ids(undefined, { run: 'x' }), ['1', '3', '4']);
      assert.deepEqual(ids('m', {}), ['1', '2', '4']);
      assert.equal(each.answered(), 4);
      if (each !== stored) each.close();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
