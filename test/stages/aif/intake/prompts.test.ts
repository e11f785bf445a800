import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeParquet } from '../../../../src/base/parquet.ts';
import { prompts } from '../../../../src/stages/aif/intake/prompts.ts';
import { readPrompts } from '../../../../src/stages/aif/tables.ts';
import { promptId } from '../../../../src/stages/step-config.ts';
import { openWorkshop } from '../../../rig/task.ts';

const root = await mkdtemp(join(tmpdir(), 'zephyr-prompts-'));
const shop = await openWorkshop();
after(async () => {
  await shop.close();
  await rm(root, { recursive: true });
  await rm(shop.folder, { recursive: true });
});
const CONFIG = { version: 1, seed: 5, split: 'train_gen', column: 'prompt', list: [], rows: null, max_characters: 100 };
async function source(rows: readonly object[]): Promise<string> {
  const folder = join(root, randomUUID());
  await mkdir(folder);
  await writeFile(join(folder, 'train_gen.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return folder;
}

test('each prompt comes once, sorted by id; what is dropped is counted by reason', async () => {
  const folder = await source([
    { prompt: 'one', prompt_id: 'id-1' },
    { prompt: 'two' },
    { prompt: 'two' },
    { prompt: '  ' },
    { prompt: 'x'.repeat(101) },
    { prompt: 'Ask  the BENCHMARK item now' },
    { prompt: 'three', prompt_id: 'id-1' },
    { prompt: '\uD800 lone' },
  ]);
  const decontaminate = await source([{ question: 'benchmark item' }]);
  const { out, metrics } = await shop.run('p', prompts, CONFIG, { source: folder, decontaminate });
  const found = await readPrompts(out);
  assert.deepEqual(
    found,
    [
      { prompt_id: 'id-1', prompt: 'one' },
      { prompt_id: promptId('two'), prompt: 'two' },
      { prompt_id: promptId('three'), prompt: 'three' },
    ].sort((a, b) => (a.prompt_id < b.prompt_id ? -1 : 1)),
  );
  assert.deepEqual(metrics, {
    prompts: 3,
    read: 8,
    dropped: { duplicate: 1, empty: 1, 'in a benchmark': 1, 'not valid text': 1, 'too long': 1, 'not drawn': 0 },
  });
});

test('a cap keeps the same prompts when more are there, as far as they are still among the first drawn', async () => {
  const all = Array.from({ length: 200 }, (_, n) => ({ prompt: `prompt number ${n}` }));
  const few = await readPrompts(
    (await shop.run('p', prompts, { ...CONFIG, rows: 50 }, { source: await source(all.slice(0, 100)) })).out,
  );
  const more = await readPrompts((await shop.run('p', prompts, { ...CONFIG, rows: 100 }, { source: await source(all) })).out);
  assert.equal(few.length, 50);
  assert.ok(few.filter(({ prompt_id }) => more.some((other) => other.prompt_id === prompt_id)).length > 25);
});

test('prompts come from Parquet, from the first user turn, or from the recipe itself', async () => {
  const folder = join(root, randomUUID());
  const messages = [
    { content: 'sys', role: 'system' },
    { content: 'asked', role: 'user' },
  ];
  await writeParquet(join(folder, 'data/train_gen-00000-of-00001.parquet'), { messages: { list: ['content', 'role'] } }, [
    { messages },
  ]);
  assert.equal(
    (await readPrompts((await shop.run('p', prompts, { ...CONFIG, column: 'messages' }, { source: folder })).out))[0]?.prompt,
    'asked',
  );
  assert.equal(
    (await readPrompts((await shop.run('p', prompts, { ...CONFIG, list: ['written here'] })).out))[0]?.prompt,
    'written here',
  );
});

test('faulty rows are all named before anything is spent', async () => {
  const folder = await source([{ prompt: 'fine' }, { prompt: 3 }, { text: 'no' }]);
  await assert.rejects(shop.run('p', prompts, CONFIG, { source: folder }), {
    exit: 'usage',
    message: /2 of 3 prompts/,
    hint: 'Faulty: row 2, row 3',
  });
  const broken = await source([]);
  await writeFile(join(broken, 'train_gen.jsonl'), '{"prompt": "a"}\n{"prompt": \n');
  await assert.rejects(shop.run('p', prompts, CONFIG, { source: broken }), { message: /"train_gen.jsonl", line 2/ });
});
