import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readSplit } from '../../../src/datasets/rows.ts';
import { makeQuestionBank, recognise } from '../../../src/practice/question-bank.ts';
import { readUltraFeedback } from '../../../src/stages/aif/pairs/ultrafeedback.ts';
import { syntheticData } from '../../../src/stages/setup/synthetic-data.ts';
import { digests, openWorkshop } from '../../rig/task.ts';

const shop = await openWorkshop();
after(async () => {
  await shop.close();
  await rm(shop.folder, { recursive: true });
});
const CONFIG = {
  version: 1,
  seed: 5,
  dialogues: 300,
  test_dialogues: 20,
  prompts: 200,
  pairs: 100,
  test_pairs: 10,
  ratings: 50,
  exam_prompts: 240,
};
const bank = makeQuestionBank(5);
const made = await shop.run('world', syntheticData, CONFIG);

interface Messages {
  readonly messages: { role: string; content: string }[];
}
const CONFIGS: Readonly<Record<string, string>> = {
  train: 'ratings',
  train_gen: 'prompts',
  train_prefs: 'pairs',
  test_prefs: 'pairs',
};
async function all<T>(split: string): Promise<T[]> {
  const rows: T[] = [];
  for await (const row of readSplit(made.out, { config: CONFIGS[split] ?? 'dialogues', split })) rows.push(row as T);
  return rows;
}
const exam = (await readFile(join(made.out, 'prompts.jsonl'), 'utf8'))
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Messages & { prompt_id: string; kind: string; solution: string[] });

test('every split has as many rows as were asked for', async () => {
  const counts = await Promise.all(
    ['train_sft', 'test_sft', 'train_gen', 'train_prefs', 'test_prefs', 'train'].map(async (split) => (await all(split)).length),
  );
  assert.deepEqual(counts, [300, 20, 200, 100, 10, 50]);
  assert.equal(exam.length, 240);
});

test('no exam question stands in anything that is trained on', async () => {
  const trained = new Set<string>();
  for (const split of ['train_sft', 'test_sft', 'train_prefs', 'test_prefs'])
    for (const { messages } of await all<Messages>(split)) for (const { content } of messages) trained.add(content);
  for (const { prompt } of await all<{ prompt: string }>('train_gen')) trained.add(prompt);
  for (const { instruction } of await all<{ instruction: string }>('train')) trained.add(instruction);
  // A follow-up's wording is held out for its subject, not for others.
  const asked = exam.filter(({ messages }) => messages.length === 1).map(({ messages }) => messages[0]?.content as string);
  assert.ok(asked.length > 150);
  assert.deepEqual(
    asked.filter((text) => trained.has(text)),
    [],
  );
  const dialogues = (await all<Messages>('train_sft')).map(({ messages }) =>
    messages.filter(({ role }) => role === 'user').map(({ content }) => content),
  );
  const pairs = new Set(
    dialogues.flatMap((turns) =>
      turns.slice(1).map((text, index) => `${recognise(bank, { system: '', user: turns.slice(0, index + 1) })?.subject} ${text}`),
    ),
  );
  const followUps = exam
    .filter(({ kind }) => kind === 'follow-up')
    .map(
      ({ messages }) =>
        `${recognise(bank, { system: '', user: [messages[0]?.content ?? ''] })?.subject} ${messages.at(-1)?.content}`,
    );
  assert.ok(followUps.length > 20);
  assert.deepEqual(
    followUps.filter((text) => pairs.has(text)),
    [],
  );
});

test('every exam question is recognised and has its solution', () => {
  for (const { messages, solution } of exam) {
    const question = recognise(bank, {
      system: '',
      user: messages.filter(({ role }) => role === 'user').map(({ content }) => content),
    });
    assert.deepEqual(question?.values, solution);
  }
  assert.equal(new Set(exam.map(({ prompt_id }) => prompt_id)).size, 240);
});

test('pairs have the better answer as chosen', async () => {
  for (const row of await all<{
    score_chosen: number;
    score_rejected: number;
    chosen: { content: string }[];
    rejected: { content: string }[];
  }>('train_prefs')) {
    assert.ok(row.score_chosen > row.score_rejected);
    assert.equal(row.chosen[0]?.content, row.rejected[0]?.content);
  }
});

test('ratings read as those of UltraFeedback', async () => {
  for (const row of await all<Record<string, unknown>>('train')) {
    const rated = readUltraFeedback(row);
    assert.equal(rated?.completions.length, 4);
    assert.ok(rated?.ratings.every(({ status }) => status === 'ok'));
  }
});

test('the same seed gives the same bytes, and a split of no rows is left out', async () => {
  assert.deepEqual(await digests((await shop.run('again', syntheticData, CONFIG)).out), await digests(made.out));
  const bare = await shop.run('bare', syntheticData, { ...CONFIG, pairs: 0, test_pairs: 0, ratings: 0 });
  assert.deepEqual(Object.keys(await digests(bare.out)).sort(), [
    'README.md',
    'data/test_sft-00000-of-00001.parquet',
    'data/train_gen-00000-of-00001.parquet',
    'data/train_sft-00000-of-00001.parquet',
    'prompts.jsonl',
  ]);
});
