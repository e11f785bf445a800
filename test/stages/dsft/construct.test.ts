import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readParquet } from '../../../src/base/parquet.ts';
import { makeWorld } from '../../../src/practice/world.ts';
import { construct } from '../../../src/stages/dsft/construct.ts';
import { callFields, digests, openWorkshop } from '../../rig/task.ts';

const shop = await openWorkshop();
after(async () => {
  await shop.close();
  await rm(shop.folder, { recursive: true });
});
const topics = makeWorld(7)
  .people.slice(0, 5)
  .map((name) => `The life of ${name}`);
const CONFIG = {
  version: 1,
  seed: 2,
  user: callFields('practice-user'),
  assistant: callFields('practice-mixed'),
  topics,
  questions_per_topic: 3,
  dialogues: 20,
  test_dialogues: 4,
  turns: { min: 1, max: 3 },
};

interface Dialogue {
  readonly prompt: string;
  readonly prompt_id: string;
  readonly messages: { content: string; role: string }[];
}
async function dialogues(out: string, split: string): Promise<Dialogue[]> {
  const rows: Dialogue[] = [];
  for await (const row of readParquet(join(out, `data/${split}-00000-of-00001.parquet`))) rows.push(row as unknown as Dialogue);
  return rows;
}

test('two teachers make dialogues of one to three rounds, each with its own opening', async () => {
  const { out, metrics } = await shop.run('c', construct, CONFIG);
  const [train, held] = [await dialogues(out, 'train_sft'), await dialogues(out, 'test_sft')];
  assert.deepEqual([train.length, held.length, metrics.train_sft], [20, 4, 20]);
  assert.equal(new Set([...train, ...held].map(({ prompt }) => prompt)).size, 24);
  const rounds = new Set<number>();
  for (const { prompt, messages } of train) {
    assert.equal(messages[0]?.content, prompt);
    assert.ok(messages.every(({ role }, n) => role === (n % 2 === 0 ? 'user' : 'assistant')));
    assert.ok(messages.every(({ content }) => content.trim() !== ''));
    rounds.add(messages.length / 2);
  }
  assert.deepEqual([...rounds].sort(), [1, 2, 3]);
});

test('a warm run makes no call and gives the same bytes', async () => {
  const first = await shop.run('warm', construct, CONFIG);
  const calls = shop.answered();
  const second = await shop.run('warm', construct, CONFIG);
  assert.equal(shop.answered(), calls);
  assert.deepEqual(await digests(second.out), await digests(first.out));
});

test('dialogues without an answer are dropped, those cut short keep what was said', async () => {
  const { out, metrics } = await shop.run('refusals', construct, {
    ...CONFIG,
    assistant: callFields('practice-direct+empty@0.5'),
  });
  const counts = metrics.counts as Record<string, number>;
  const rows = [...(await dialogues(out, 'train_sft')), ...(await dialogues(out, 'test_sft'))];
  assert.equal(rows.length + (counts['dialogues without an answer'] ?? 0), 24);
  assert.ok((counts['answers: empty'] ?? 0) > 0);
  assert.ok(rows.every(({ messages }) => messages.at(-1)?.role === 'assistant'));
});

test('topics that run dry are named', async () => {
  await assert.rejects(shop.run('dry', construct, { ...CONFIG, user: callFields('practice-user+invalid-json') }), {
    message: /Cannot find 24 different openings: 5 topics gave 0/,
  });
});
