import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readParquet } from '../../../src/datasets/parquet.ts';
import type { Rating } from '../../../src/judging/rating.ts';
import type { Pair } from '../../../src/stages/aif/pairs/pairs.ts';
import { COMPLETIONS_FILE, type Completion, RATINGS_FILE } from '../../../src/stages/aif/tables.ts';
import { minimalRecipe } from '../../recipe/minimal.ts';
import { questions } from '../../rig/answering.ts';
import { STAGE_STEPS, tasks } from '../../rig/stages.ts';
import { digests, type TaskRun, type Workshop, withShop } from '../../rig/task.ts';

const listOf = (count: number) => Array.from({ length: count }, (_, n) => questions[n * 7] ?? '');
const PERSONAS = ['direct', 'rambling', 'evasive', 'careless', 'mixed'];

interface Setup {
  readonly judge?: object;
  readonly binarize?: object;
  readonly principles?: readonly string[];
  /** faults by teacher, `judge` included */
  readonly faults?: Readonly<Record<string, string>>;
}

async function rows<T>(path: string): Promise<T[]> {
  const all: T[] = [];
  for await (const row of readParquet(path)) all.push(row as T);
  return all;
}

/** The steps of the stage as a recipe plans them, up to and with `last`. */
async function pipeline(shop: Workshop, count: number, setup: Setup = {}, last = 'binarize') {
  const recipe = minimalRecipe((data) => {
    data.seed = 3;
    data.teachers = Object.fromEntries(
      [...PERSONAS, 'judge'].map((id) => [id, { provider: 'practice', model: `practice-${id}${setup.faults?.[id] ?? ''}` }]),
    );
    data.aif = {
      source: 'teachers',
      prompts: { sources: [{ list: listOf(count) }] },
      pool: PERSONAS.map((teacher) => ({ teacher })),
      principles: setup.principles ?? ['honesty', 'helpfulness'],
      answer: { temperature: 0, maxTokens: 64 },
      judge: { teachers: ['judge'], permutations: 1, ...setup.judge },
      binarize: { minMargin: 0, minChosen: 0, testPrompts: 4, ...setup.binarize },
    };
  });
  const made: Record<string, TaskRun> = {};
  for (const step of STAGE_STEPS.aif(recipe)) {
    const inputs = Object.entries(step.inputs).map(([name, input]) => [
      name,
      'step' in input ? (made[input.step ?? '']?.out ?? '') : '',
    ]);
    const task = step.work.kind === 'task' ? tasks[step.work.task] : undefined;
    assert.ok(task);
    made[step.name] = await shop.run('aif', task, step.config, Object.fromEntries(inputs));
    if (step.name === last) break;
  }
  const found = (name: string) => made[name] as TaskRun;
  return { made: found('prompts'), answered: found('generate'), judged: found('judge'), paired: found('binarize') };
}
const allPairs = async (out: string) => [
  ...(await rows<Pair>(join(out, 'data/train_prefs-00000-of-00001.parquet'))),
  ...(await rows<Pair>(join(out, 'data/test_prefs-00000-of-00001.parquet'))),
];

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

test('every rating belongs to the text that it was given for, whatever the order in which the judge saw the texts', () =>
  withShop(async (shop) => {
    const { answered, judged } = await pipeline(shop, 20, { judge: { permutations: 2 } });
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
    const first = await pipeline(shop, 12, { judge: { overall: true } });
    const calls = shop.answered();
    const second = await pipeline(shop, 12, { judge: { overall: true } });
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
      const setup = { judge: { aspects: ['helpfulness', 'honesty'] }, faults: { judge: `+${fault}` } };
      await pipeline(shop, 6, setup, 'generate');
      const before = shop.answered();
      const { judged } = await pipeline(shop, 6, setup, 'judge');
      assert.equal(shop.answered() - before, 6 * 2 * 2);
      const ratings = await rows<Rating>(join(judged.out, RATINGS_FILE));
      assert.equal(ratings.length, 48);
      const status = fault === 'refusal' ? 'refused' : 'invalid';
      for (const each of ratings) assert.deepEqual([each.rating, each.value, each.na, each.status], [null, null, false, status]);
      assert.deepEqual(judged.metrics.by_status, { [status]: 48 });
      await assert.rejects(pipeline(shop, 6, setup), {
        message: 'Cannot make a pair of any prompt: 6 fewer than two rated answers',
      });
    }));
}

test('answers that are refused, cut off or empty stay in the data and win and lose nothing', () =>
  withShop(async (shop) => {
    const faults = { rambling: '+truncated', evasive: '+refusal' };
    const { answered, paired } = await pipeline(shop, 15, { faults, principles: [], binarize: { testPrompts: 1 } });
    const flags = answered.metrics.flags as Record<string, number>;
    assert.ok((flags.truncated ?? 0) > 5 && (flags.refusal ?? 0) > 5, JSON.stringify(flags));
    const pairs = await allPairs(paired.out);
    assert.ok(pairs.length > 0);
    assert.ok(pairs.every(({ chosen_model, rejected_model }) => !/\+/.test(chosen_model + rejected_model)));
    const left = paired.metrics.answers_left_out as Record<string, number>;
    assert.deepEqual([left.truncated, left.refusal], [flags.truncated, flags.refusal]);
  }));

test('a busy, slow and failing teacher changes no byte of the result', () => {
  const results: Record<string, string>[] = [];
  const run = (faults?: string) =>
    withShop(async (shop) => {
      const { judged, paired } = await pipeline(shop, 8);
      results.push({ ...(await digests(judged.out)), ...(await digests(paired.out)) });
    }, faults);
  return run()
    .then(() => run('429@0.1,503@0.1,latency=5,cut@0.1'))
    .then(() => assert.deepEqual(results[1], results[0]));
});

test('the overall score can rank the answers', () =>
  withShop(async (shop) => {
    const binarize = { score: 'overall', rejected: 'lowest', testPrompts: 1 };
    const { judged, paired } = await pipeline(shop, 8, { judge: { aspects: [], overall: true }, binarize });
    const ratings = await rows<Rating>(join(judged.out, RATINGS_FILE));
    assert.ok(ratings.some(({ rating }) => (rating ?? 0) > 5));
    assert.ok((await allPairs(paired.out)).length > 2);
  }));
