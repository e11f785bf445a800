import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Columns, readParquet, writeParquet } from '../../../../src/datasets/parquet.ts';
import { readSplit } from '../../../../src/datasets/rows.ts';
import { fingerprintStep } from '../../../../src/plan/fingerprint.ts';
import { passPairs } from '../../../../src/stages/aif/pairs/pass-pairs.ts';
import { rebinarize } from '../../../../src/stages/aif/pairs/rebinarize.ts';
import { passPairsStep } from '../../../../src/stages/aif/pairs/steps.ts';
import { readRating } from '../../../../src/stages/aif/pairs/ultrafeedback.ts';
import type { Step } from '../../../../src/stages/stage.ts';
import { minimalRecipe } from '../../../recipe/minimal.ts';
import { binarizeRule } from '../../../rig/feedback.ts';
import { digests, openWorkshop } from '../../../rig/task.ts';

const root = await mkdtemp(join(tmpdir(), 'zephyr-published-'));
const shop = await openWorkshop();
after(async () => {
  await shop.close();
  await rm(root, { recursive: true });
  await rm(shop.folder, { recursive: true });
});

const UF = ['instruction_following', 'honesty', 'truthfulness', 'helpfulness'];
const answer = (model: string, ratings: (string | undefined)[], overall: number) => ({
  model,
  response: `${model} says so`,
  principle: 'helpfulness',
  overall_score: overall,
  custom_system_prompt: 'Be helpful.',
  annotations: Object.fromEntries(
    UF.map((aspect, n) => [aspect, ratings[n] === undefined ? [] : { Rating: ratings[n], Rationale: 'r' }]),
  ),
});
const row = (n: number, source = 'sharegpt') => ({
  source,
  instruction: `question ${n}`,
  completions: [
    answer('good', ['5', 'N/A', '5', '5'], 9),
    answer('middling', ['4', '4', '3', '4'], 6),
    answer('bad', ['2', '1', '2', '1'], 3),
    answer('odd', ['5', undefined, '5', '5'], 7),
  ],
});
const CONFIG = {
  ...binarizeRule,
  version: 2,
  aspects: UF,
  test_prompts: 5,
  split: 'train',
  drop_sources: ['truthful_qa'],
  licence: 'mit',
};

async function ratingsFolder(rows: readonly object[]): Promise<string> {
  const folder = join(root, randomUUID());
  await mkdir(folder);
  await writeFile(join(folder, 'evol_instruct.jsonl'), rows.map((each) => `${JSON.stringify(each)}\n`).join(''));
  return folder;
}
async function pairs(out: string) {
  const all: Record<string, unknown>[] = [];
  for (const split of ['train_prefs', 'test_prefs'])
    for await (const each of readParquet(join(out, `data/${split}-00000-of-00001.parquet`))) all.push(each);
  return all;
}

test('published ratings become pairs by the rule, sources and duplicates left out with their counts', async () => {
  const ratings = await ratingsFolder([...Array.from({ length: 40 }, (_, n) => row(n)), row(99, 'truthful_qa'), row(0)]);
  const { out, metrics } = await shop.run('r', rebinarize, CONFIG, { ratings });
  const made = await pairs(out);
  assert.equal(made.length, 40);
  assert.ok(made.every((pair) => pair.chosen_model === 'good' && pair.score_chosen === 5));
  assert.deepEqual(new Set(made.map((pair) => pair.rejected_model)), new Set(['middling', 'bad']));
  assert.deepEqual(made[0]?.chosen, [
    { content: made[0]?.prompt, role: 'user' },
    { content: 'good says so', role: 'assistant' },
  ]);
  assert.deepEqual(metrics.dropped, { duplicate: 1, 'source truthful_qa': 1 });
  assert.deepEqual(metrics.answers_left_out, { 'no full score': 40 });
  assert.deepEqual([metrics.train_prefs, metrics.test_prefs], [35, 5]);
});

test('prompts of a benchmark are dropped', async () => {
  const ratings = await ratingsFolder(Array.from({ length: 20 }, (_, n) => row(n)));
  const decontaminate = await ratingsFolder([{ question: 'Question  3' }, { question: 'question' }]);
  const { metrics } = await shop.run('r', rebinarize, CONFIG, { ratings, decontaminate });
  assert.deepEqual(metrics.dropped, { 'in a benchmark': 1 });
});

test('a worst answer that is marked 10 is listed, and does not win by the mean of aspects', async () => {
  const rows = Array.from({ length: 300 }, (_, n) => row(n));
  const wrong = {
    ...row(777),
    completions: [answer('good', ['5', '5', '5', '5'], 9), answer('worst', ['1', '1', '1', '1'], 10)],
  };
  const ratings = await ratingsFolder([...rows, wrong]);
  const { out, metrics, notes } = await shop.run('r', rebinarize, CONFIG, { ratings });
  assert.equal(metrics.contradictions, 1);
  assert.match(notes[0] ?? '', /1 of \d+ answers have an overall score that contradicts.*cross-check\.jsonl/);
  const [listed] = (await readFile(join(out, 'cross-check.jsonl'), 'utf8')).trim().split('\n');
  const { z_difference, ...found } = JSON.parse(listed ?? '') as Record<string, unknown>;
  assert.deepEqual([found.model, found.overall, found.mean_aspects], ['worst', 10, 1]);
  assert.ok((z_difference as number) > 3);
  assert.equal((await pairs(out)).find((pair) => pair.prompt === 'question 777')?.chosen_model, 'good');
  const overall = await shop.run('r', rebinarize, { ...CONFIG, score: 'overall' }, { ratings });
  assert.equal((await pairs(overall.out)).find((pair) => pair.prompt === 'question 777')?.chosen_model, 'worst');
});

test('what is no rating never becomes a number', () => {
  assert.deepEqual(readRating('4', 5), { rating: 4, value: 4, na: false, status: 'ok' });
  assert.deepEqual(readRating('N/A', 5), { rating: null, value: null, na: true, status: 'ok' });
  for (const value of [undefined, null]) assert.equal(readRating(value, 5).status, 'missing');
  for (const value of ['', 'five', '6', 0, Number.NaN, '4 of 5'])
    assert.deepEqual(readRating(value, 5), { rating: null, value: null, na: false, status: 'invalid' });
});

test("a file with other columns is the user's mistake, with the row", async () => {
  const ratings = await ratingsFolder([row(1), { instruction: 'x' }]);
  await assert.rejects(shop.run('r', rebinarize, CONFIG, { ratings }), {
    name: 'ZephyrError',
    message: /line 2; .*openbmb\/UltraFeedback/,
  });
});

const TURNS = { list: ['content', 'role'] } as const;
const PAIRS: Columns = { prompt: 'string', chosen: TURNS, rejected: TURNS };
const pair = (n: number, rejected = `bad ${n}`, asked = `q${n}`) => ({
  prompt: `q${n}`,
  chosen: [
    { content: `q${n}`, role: 'user' },
    { content: `good ${n}`, role: 'assistant' },
  ],
  rejected: [
    { content: asked, role: 'user' },
    { content: rejected, role: 'assistant' },
  ],
});
async function pairsFolder(rows: readonly ReturnType<typeof pair>[]): Promise<string> {
  const folder = join(root, randomUUID());
  await writeParquet(join(folder, 'data/train_prefs-00000-of-00001-b42f1ac4.parquet'), PAIRS, rows);
  await writeParquet(join(folder, 'data/test_prefs-00000-of-00001.parquet'), PAIRS, rows.slice(0, 2));
  return folder;
}
const PASS = { version: 2, train: 'train_prefs', test: 'test_prefs', rows: { train_prefs: 10 } };

test('published pairs are passed on byte by byte after a look at every row', async () => {
  const folder = await pairsFolder([...Array.from({ length: 9 }, (_, n) => pair(n)), pair(9, 'good 9')]);
  const { out, metrics } = await shop.run('p', passPairs, PASS, { pairs: folder });
  assert.deepEqual(metrics, { train_prefs: 10, test_prefs: 2, oddities: { 'both answers are equal': 1 } });
  const [before, made] = [await digests(join(folder, 'data')), await digests(join(out, 'data'))];
  assert.deepEqual(made, before);
});

test('pairs in files that name no split, or have one name in two folders, become the splits as well', async () => {
  const folder = join(root, randomUUID());
  await writeParquet(join(folder, 'en/preferences.parquet'), PAIRS, [pair(1)]);
  await writeParquet(join(folder, 'fr/preferences.parquet'), PAIRS, [pair(2), pair(3)]);
  const config = { ...PASS, train: 'train', test: null, rows: null };
  const { out, metrics } = await shop.run('p', passPairs, config, { pairs: folder });
  assert.deepEqual(metrics, { train_prefs: 3, oddities: {} });
  let rows = 0;
  for await (const _ of readSplit(out, { split: 'train_prefs' })) rows += 1;
  assert.equal(rows, 3);
});

test('pairs that were passed on under the names of their files, some lost by that, are passed on again', () => {
  const recipe = minimalRecipe();
  assert.ok(recipe.aif.source === 'pairs');
  const step = passPairsStep(recipe, recipe.aif);
  const of = (config: Step['config']) => fingerprintStep({ ...step, config }, { pairs: 'a'.repeat(64) }, {}, '').fingerprint;
  assert.notEqual(of(step.config), of({ ...(step.config as object), version: 1 }));
});

test('pairs with another number of rows, another prompt or without a split are refused', async () => {
  await assert.rejects(shop.run('p', passPairs, PASS, { pairs: await pairsFolder([pair(1)]) }), {
    message: /has 1 rows, expected 10/,
  });
  await assert.rejects(
    shop.run('p', passPairs, { ...PASS, rows: null }, { pairs: await pairsFolder([pair(1), pair(2, 'bad', 'another')]) }),
    { exit: 'usage', message: /train_prefs.*1 of 2 rows cannot be used \(1 different prompts\), the first is .*parquet, row 2;/ },
  );
  await assert.rejects(
    shop.run('p', passPairs, { ...PASS, train: 'nope', rows: null }, { pairs: await pairsFolder([pair(1)]) }),
    { message: /split "nope"/ },
  );
});
