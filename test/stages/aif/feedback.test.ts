import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readParquet } from '../../../src/base/parquet.ts';
import { makeSyllabus } from '../../../src/practice/questions.ts';
import { generate } from '../../../src/stages/aif/answers/generate.ts';
import { prompts } from '../../../src/stages/aif/intake/prompts.ts';
import { judge } from '../../../src/stages/aif/judging/judge.ts';
import { binarize } from '../../../src/stages/aif/pairs/binarize.ts';
import type { Pair } from '../../../src/stages/aif/pairs/pairs.ts';
import { COMPLETIONS_FILE, type Completion, RATINGS_FILE, type Rating } from '../../../src/stages/aif/tables.ts';
import { callFields, digests, openWorkshop, type Workshop } from '../../rig/task.ts';

const questions = makeSyllabus(7)
  .phrasings.filter(({ heldOut }) => !heldOut)
  .map(({ text }) => text);
const listOf = (count: number) => Array.from({ length: count }, (_, n) => questions[n * 7] ?? '');
const POOL = ['direct', 'rambling', 'evasive', 'careless', 'mixed'].map((manner) => ({
  id: manner,
  weight: 1,
  call: callFields(`practice-${manner}`),
}));
const ASPECTS = ['instruction_following', 'honesty', 'truthfulness', 'helpfulness'];
const BINARIZE = {
  version: 1,
  seed: 3,
  score: 'mean_aspects',
  rejected: 'random_lower',
  ties: 'drop',
  min_margin: 0,
  min_chosen: 0,
  test_prompts: 4,
};

async function rows<T>(path: string): Promise<T[]> {
  const all: T[] = [];
  for await (const row of readParquet(path)) all.push(row as T);
  return all;
}

async function pipeline(shop: Workshop, count: number, judging: object = {}, binarizing: object = {}) {
  const made = await shop.run('prompts', prompts, {
    version: 1,
    seed: 3,
    split: 'train',
    column: 'prompt',
    list: listOf(count),
    rows: null,
    max_characters: 500,
  });
  const answered = await shop.run(
    'generate',
    generate,
    { version: 1, seed: 3, pool: POOL, answers_per_prompt: 4, principles: ['honesty', 'helpfulness'] },
    { prompts: made.out },
  );
  const judged = await shop.run(
    'judge',
    judge,
    {
      version: 1,
      seed: 3,
      call: callFields('practice-judge', 1024),
      template: 'ultrafeedback-1',
      aspects: ASPECTS,
      overall: false,
      permutations: 1,
      ...judging,
    },
    { prompts: made.out, completions: answered.out },
  );
  const paired = await shop.run(
    'binarize',
    binarize,
    { ...BINARIZE, ...binarizing },
    { prompts: made.out, completions: answered.out, ratings: judged.out },
  );
  return { made, answered, judged, paired };
}
const allPairs = async (out: string) => [
  ...(await rows<Pair>(join(out, 'data/train_prefs-00000-of-00001.parquet'))),
  ...(await rows<Pair>(join(out, 'data/test_prefs-00000-of-00001.parquet'))),
];

async function withShop(use: (shop: Workshop) => Promise<void>, misbehave?: string): Promise<void> {
  const shop = await openWorkshop(misbehave);
  try {
    await use(shop);
  } finally {
    await shop.close();
    await rm(shop.folder, { recursive: true });
  }
}

test('feedback on checkable questions prefers the answers that are right and to the point', () =>
  withShop(async (shop) => {
    const { answered, judged, paired } = await pipeline(shop, 30);
    const completions = await rows<Completion>(join(answered.out, COMPLETIONS_FILE));
    assert.equal(completions.length, 120);
    assert.equal(new Set(completions.map(({ completion_id }) => completion_id)).size, 120);
    const ratings = await rows<Rating>(join(judged.out, RATINGS_FILE));
    assert.equal(ratings.length, 480);
    assert.ok(ratings.every(({ status, rating }) => status === 'ok' && rating !== null && rating >= 1 && rating <= 5));
    const pairs = await allPairs(paired.out);
    assert.ok(pairs.length >= 25, `${pairs.length} pairs`);
    const direct = pairs.filter(({ chosen_model }) => chosen_model === 'practice-direct').length;
    assert.ok(
      pairs.every(
        ({ score_chosen, score_rejected, margin }) => score_chosen > score_rejected && margin === score_chosen - score_rejected,
      ),
    );
    assert.ok(direct / pairs.length > 0.5, `${direct} of ${pairs.length} chosen are direct`);
    assert.ok(pairs.every(({ rejected_model }) => rejected_model !== 'practice-direct'));
    assert.deepEqual([paired.metrics.test_prefs, answered.metrics.prompts], [4, 30]);
  }));

test('T4: every rating belongs to the text that it was given for, whatever the order in which the judge saw the texts', () =>
  withShop(async (shop) => {
    const { answered, judged } = await pipeline(shop, 20, { permutations: 2 });
    const completions = new Map(
      (await rows<Completion>(join(answered.out, COMPLETIONS_FILE))).map((row) => [row.completion_id, row]),
    );
    const ratings = await rows<Rating>(join(judged.out, RATINGS_FILE));
    const positions = new Set(ratings.map(({ position }) => position));
    assert.deepEqual([...positions].sort(), [0, 1, 2, 3]);
    for (const { completion_id, aspect, rating } of ratings) {
      const completion = completions.get(completion_id);
      assert.ok(completion);
      if (completion.model === 'practice-direct') assert.equal(rating, 5, `${completion.text} ${aspect}`);
      if (completion.model === 'practice-evasive' && aspect === 'helpfulness') assert.ok((rating ?? 5) <= 2);
    }
    const byKey = Map.groupBy(ratings, ({ completion_id, aspect }) => `${completion_id} ${aspect}`);
    for (const [key, both] of byKey)
      assert.deepEqual(
        both.map(({ position }) => position).reduce((a, b) => a + b, 0),
        3,
        key,
      );
  }));

test('a warm run makes no call and gives the same bytes', () =>
  withShop(async (shop) => {
    const first = await pipeline(shop, 12, { overall: true });
    const calls = shop.answered();
    const second = await pipeline(shop, 12, { overall: true });
    assert.equal(shop.answered(), calls);
    for (const step of ['made', 'answered', 'judged', 'paired'] as const)
      assert.deepEqual(await digests(second[step].out), await digests(first[step].out));
  }));

test('more prompts change nothing for the others, and cost only their own calls', () =>
  withShop(async (shop) => {
    const few = await pipeline(shop, 10);
    const calls = shop.answered();
    assert.equal(calls, 10 * 8);
    const more = await pipeline(shop, 16);
    assert.equal(shop.answered(), 16 * 8);
    for (const [step, file] of [
      ['answered', COMPLETIONS_FILE],
      ['judged', RATINGS_FILE],
    ] as const) {
      const after = new Set((await rows(join(more[step].out, file))).map((row) => JSON.stringify(row)));
      for (const row of await rows(join(few[step].out, file))) assert.ok(after.has(JSON.stringify(row)));
    }
    const pairs = new Map((await allPairs(more.paired.out)).map((pair) => [pair.prompt_id, pair]));
    for (const pair of await allPairs(few.paired.out)) assert.deepEqual(pairs.get(pair.prompt_id), pair);
  }));

for (const fault of ['invalid-json', 'wrong-label', 'missing-label', 'duplicate-label', 'truncated', 'refusal', 'empty']) {
  test(`a judge that always gives ${fault} is asked twice, and no rating is made up`, () =>
    withShop(async (shop) => {
      const call = callFields(`practice-judge+${fault}`, 1024);
      const answered = await pipeline(shop, 6).then((made) => made.answered);
      const before = shop.answered();
      const { out, metrics } = await shop.run(
        'bad judge',
        judge,
        {
          version: 1,
          seed: 3,
          call,
          template: 'ultrafeedback-1',
          aspects: ['helpfulness', 'honesty'],
          overall: false,
          permutations: 1,
        },
        { completions: answered.out },
      );
      assert.equal(shop.answered() - before, 6 * 2 * 2);
      const ratings = await rows<Rating>(join(out, RATINGS_FILE));
      assert.equal(ratings.length, 48);
      assert.ok(
        ratings.every(
          ({ rating, na, status }) => rating === null && !na && status === (fault === 'refusal' ? 'refused' : 'invalid'),
        ),
      );
      assert.deepEqual(metrics.by_status, { [fault === 'refusal' ? 'refused' : 'invalid']: 48 });
      await assert.rejects(shop.run('b', binarize, BINARIZE, { completions: answered.out, ratings: out }), {
        message: /there are only 0 pairs/,
        hint: /fewer than two rated answers/,
      });
    }));
}

test('answers that are refused, cut off or empty stay in the data and win and lose nothing', () =>
  withShop(async (shop) => {
    const faulty = POOL.map((member, n) => ({
      ...member,
      call: callFields(`${member.call.model}${['', '+truncated', '+refusal', '', ''][n]}`),
    }));
    const made = await shop.run('prompts', prompts, {
      version: 1,
      seed: 3,
      split: 'train',
      column: 'prompt',
      list: listOf(15),
      rows: null,
      max_characters: 500,
    });
    const answered = await shop.run(
      'generate',
      generate,
      { version: 1, seed: 3, pool: faulty, answers_per_prompt: 4, principles: [] },
      { prompts: made.out },
    );
    const flags = answered.metrics.flags as Record<string, number>;
    assert.ok((flags.truncated ?? 0) > 5 && (flags.refusal ?? 0) > 5, JSON.stringify(flags));
    const judged = await shop.run(
      'judge',
      judge,
      {
        version: 1,
        seed: 3,
        call: callFields('practice-judge', 1024),
        template: 'ultrafeedback-1',
        aspects: ASPECTS,
        overall: false,
        permutations: 1,
      },
      { prompts: made.out, completions: answered.out },
    );
    const paired = await shop.run(
      'binarize',
      binarize,
      { ...BINARIZE, test_prompts: 1 },
      { prompts: made.out, completions: answered.out, ratings: judged.out },
    );
    const pairs = await allPairs(paired.out);
    assert.ok(pairs.length > 0);
    assert.ok(pairs.every(({ chosen_model, rejected_model }) => !/\+/.test(chosen_model + rejected_model)));
    const left = paired.metrics.answers_left_out as Record<string, number>;
    assert.deepEqual([left.truncated, left.refusal], [flags.truncated, flags.refusal]);
  }));

test('a busy, slow and failing teacher changes no byte of the result', () => {
  const results: Record<string, string>[] = [];
  const run = (misbehave?: string) =>
    withShop(async (shop) => {
      const { judged, paired } = await pipeline(shop, 8);
      results.push({ ...(await digests(judged.out)), ...(await digests(paired.out)) });
    }, misbehave);
  return run()
    .then(() => run('429@0.1,503@0.1,latency=5,cut@0.1'))
    .then(() => assert.deepEqual(results[1], results[0]));
});

test('the overall score can rank the answers', () =>
  withShop(async (shop) => {
    const { judged, paired } = await pipeline(
      shop,
      8,
      { aspects: [], overall: true },
      { score: 'overall', rejected: 'lowest', test_prompts: 1 },
    );
    const ratings = await rows<Rating>(join(judged.out, RATINGS_FILE));
    assert.ok(ratings.some(({ rating }) => (rating ?? 0) > 5));
    assert.ok((await allPairs(paired.out)).length > 2);
  }));
