import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Json } from '../../../../src/base/canonical-json.ts';
import { sha256 } from '../../../../src/base/sha256.ts';
import { readParquet } from '../../../../src/datasets/parquet.ts';
import type { Rating } from '../../../../src/judging/rating.ts';
import { binarize } from '../../../../src/stages/aif/pairs/binarize.ts';
import type { Pair } from '../../../../src/stages/aif/pairs/pairs.ts';
import type { Report } from '../../../../src/stages/aif/pairs/report.ts';
import type { BinarizeRule } from '../../../../src/stages/aif/pairs/rule.ts';
import type { Completion } from '../../../../src/stages/aif/tables.ts';
import type { TaskContext } from '../../../../src/stages/stage.ts';
import { binarizeRule, completionRow, ratingRow, writeCompletions, writeRatings } from '../../../rig/feedback.ts';
import { digests } from '../../../rig/task.ts';

const root = await mkdtemp(join(tmpdir(), 'zephyr-binarize-'));
after(() => rm(root, { recursive: true }));

interface Given {
  readonly completions: Iterable<Completion>;
  readonly ratings: Iterable<Rating>;
  /** of the prompts artifact */
  readonly files?: Readonly<Record<string, string>>;
}

async function laid(name: string, { completions, ratings, files }: Given) {
  const folder = join(root, name);
  await writeCompletions(join(folder, 'completions'), completions);
  await writeRatings(join(folder, 'ratings'), ratings);
  const inputs = { completions: join(folder, 'completions'), ratings: join(folder, 'ratings') };
  if (files === undefined) return inputs;
  await mkdir(join(folder, 'prompts'));
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, 'prompts', file), text);
  return { ...inputs, prompts: join(folder, 'prompts') };
}

/** Runs the task as the engine does, but with nobody to ask. */
async function run(name: string, inputs: Readonly<Record<string, string>>, rule: Partial<BinarizeRule> = {}) {
  const out = join(root, `${name}-out`);
  await mkdir(out);
  const notes: string[] = [];
  const nobody = () => Promise.reject(new Error('Cannot binarize with a call'));
  const config = { version: 2, ...binarizeRule, ...rule } as unknown as Json;
  const context = { config, inputs, out, teacher: nobody, note: (message: string) => notes.push(message) };
  const { metrics, costUsd } = await binarize(context as unknown as TaskContext);
  const pairs: Pair[] = [];
  for (const split of ['train_prefs', 'test_prefs'])
    for await (const row of readParquet(join(out, `data/${split}-00000-of-00001.parquet`))) pairs.push(row as unknown as Pair);
  const report = JSON.parse(await readFile(join(out, 'report.json'), 'utf8')) as Report;
  return { out, pairs, report, metrics, costUsd, notes, card: await readFile(join(out, 'README.md'), 'utf8') };
}

const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const prompts = Array.from({ length: 12 }, (_, n) => `p${String(n).padStart(2, '0')}`);
const FOUR = ['a', 'b', 'c', 'd'];
const answers = (change: (row: Completion) => Completion = (row) => row) =>
  prompts.flatMap((id) => FOUR.map((member) => change(completionRow(id, member))));
/** d is best, a is worst */
const marks = (change: (row: Rating) => Rating = (row) => row) =>
  prompts.flatMap((id) => FOUR.map((member, n) => change(ratingRow(id, member, n + 2))));

test('whatever has no partner by its id stops the step, and no row is paired by its place', async () => {
  const faults: [string, Given, RegExp][] = [
    [
      'a prompt without answers',
      { completions: answers().filter(({ prompt_id }) => prompt_id !== 'p05'), ratings: marks() },
      /ratings of prompt "p05" find no answers/,
    ],
    [
      'ratings in another order',
      { completions: answers(), ratings: [...marks().slice(4), ...marks().slice(0, 4)] },
      /ratings of prompt "p00" find no answers/,
    ],
    [
      'a rating of a stranger',
      {
        completions: answers(),
        ratings: marks((row) => ({ ...row, completion_id: row.completion_id.replace('p03/a', 'p04/a') })),
      },
      /rating of prompt "p03" speaks of answer "p04\/a"/,
    ],
    ['a rating twice', { completions: answers(), ratings: marks().flatMap((row) => [row, row]) }, /two ratings of helpfulness/],
    [
      'a prompt in two places',
      { completions: [...answers(), ...answers().slice(0, 4)], ratings: marks() },
      /do not lie together/,
    ],
    [
      'answers of one id',
      { completions: answers((row) => ({ ...row, completion_id: row.completion_id.replace('/b', '/a') })), ratings: [] },
      /two answers of one id/,
    ],
    [
      'an answer to no prompt',
      { completions: answers(), ratings: marks(), files: { 'prompts.jsonl': lines([{ prompt_id: 'p00', prompt: 'q' }]) } },
      /prompt "p01" has answers and is no prompt/,
    ],
  ];
  for (const [name, given, message] of faults) {
    const inputs = await laid(name, given);
    await assert.rejects(run(name, inputs), { name: 'ZephyrError', message }, name);
  }
});

test('prompts that were not rated give no pair, and move no other prompt', async () => {
  const all = await run('all', await laid('rated', { completions: answers(), ratings: marks() }));
  const some = await run(
    'some',
    await laid('some rated', { completions: answers(), ratings: marks().filter(({ prompt_id }) => prompt_id !== 'p03') }),
  );
  assert.deepEqual(
    some.pairs,
    all.pairs.filter(({ prompt_id }) => prompt_id !== 'p03'),
  );
  assert.deepEqual(some.metrics.dropped, { 'fewer than two rated answers': 1 });
});

test('of own feedback too, a worst answer that is marked 10 is listed beside the pairs', async () => {
  const many = Array.from({ length: 80 }, (_, n) => `q${String(n).padStart(3, '0')}`);
  const ratings = many.flatMap((id, n) =>
    FOUR.flatMap((member, m) => {
      const mark = 1 + ((n + m) % 5);
      const isWrong = id === 'q007' && mark === 1;
      return [ratingRow(id, member, mark), ratingRow(id, member, isWrong ? 10 : 2 * mark - 1, { aspect: 'overall' })];
    }),
  );
  const inputs = await laid('marked', {
    completions: many.flatMap((id) => FOUR.map((member) => completionRow(id, member))),
    ratings,
  });
  const found = await run('marked', inputs);
  const [first, ...others] = (await readFile(join(found.out, 'cross-check.jsonl'), 'utf8')).trim().split('\n');
  assert.deepEqual(others, []);
  const { completion_id, overall, mean_aspects } = JSON.parse(first ?? '') as Record<string, unknown>;
  assert.deepEqual([String(completion_id).slice(0, 4), overall, mean_aspects], ['q007', 10, 1]);
  assert.match(found.notes[0] ?? '', /1 of 320 answers/);
  assert.match(found.card, /1 have two that lie 3 standard deviations or more apart/);
});

test('a pair names the models that wrote its answers, by the rows of these very answers', async () => {
  const { pairs } = await run('models', await laid('models', { completions: answers(), ratings: marks() }));
  for (const pair of pairs) {
    assert.equal(pair.chosen.at(-1)?.content, `${pair.chosen_model.replace('model-', '')} answers ${pair.prompt_id}`);
    assert.equal(pair.rejected.at(-1)?.content, `${pair.rejected_model.replace('model-', '')} answers ${pair.prompt_id}`);
    assert.deepEqual([pair.chosen_id, pair.messages], [`${pair.prompt_id}/d`, pair.chosen]);
  }
});

test('the same feedback and seed give the same bytes, another seed other losers', async () => {
  const inputs = await laid('seeded', { completions: answers(), ratings: marks() });
  const [one, two, other] = [await run('one', inputs), await run('two', inputs), await run('other', inputs, { seed: 2 })];
  assert.deepEqual(await digests(two.out), await digests(one.out));
  assert.notDeepEqual(
    other.pairs.map(({ rejected_id }) => rejected_id),
    one.pairs.map(({ rejected_id }) => rejected_id),
  );
});

test('a changed rule gives other pairs without a single call', async () => {
  const inputs = await laid('rules', { completions: answers(), ratings: marks() });
  const lowest = await run('lowest', inputs, { rejected: 'lowest' });
  assert.ok(lowest.pairs.every(({ rejected_id }) => rejected_id.endsWith('/a')));
  const band = await run('band', inputs, { rejected: 'margin_band', margin_band: { min: 1, max: 1 } });
  assert.ok(band.pairs.every(({ rejected_id, margin }) => rejected_id.endsWith('/c') && margin === 1));
  assert.deepEqual([lowest.costUsd, band.costUsd, lowest.pairs.length, band.pairs.length], [0, 0, 12, 12]);
});

test('a refusal wins only where the source of the prompt says that it may, and loses only there too', async () => {
  const files = {
    'prompts.jsonl': lines(
      prompts.map((prompt_id, n) => ({ prompt_id, prompt: 'q', source: n < 6 ? 'traps' : 'chat', safety: n < 6 })),
    ),
  };
  const completions = answers((row) => (row.member === 'd' ? { ...row, flags: ['refusal'] } : row));
  const { pairs, report } = await run('refusals', await laid('refusals', { completions, ratings: marks(), files }));
  for (const { source, chosen_id, rejected_id, flags } of pairs) {
    assert.deepEqual(flags, source === 'traps' ? ['refusal_chosen'] : []);
    assert.match(chosen_id, source === 'traps' ? /d$/ : /c$/);
    assert.doesNotMatch(rejected_id, /d$/);
  }
  assert.deepEqual([report.answers_left_out, report.pair_flags], [{ refusal: 6 }, { refusal_chosen: 6 }]);
});

test('pairs that the trainer would cut to the same text are dropped or flagged, and counted', async () => {
  const long = 'the same beginning '.repeat(200);
  const completions = answers((row) => ({ ...row, text: `${row.prompt_id < 'p03' ? long : ''}${row.text}` }));
  const inputs = await laid('long', { completions, ratings: marks() });
  const dropped = await run('dropped', inputs, { trainer: { max_length: 256, max_prompt_length: 128 } });
  assert.deepEqual(dropped.metrics.dropped, { 'same when cut by the trainer': 3 });
  const flagged = await run('flagged', inputs, { same_when_cut: 'flag', trainer: { max_length: 256, max_prompt_length: 128 } });
  assert.deepEqual(flagged.report.pair_flags, { same_when_cut: 3 });
  assert.equal(flagged.pairs.filter(({ flags }) => flags.includes('same_when_cut')).length, 3);
  assert.deepEqual((await run('whole', inputs)).report.pair_flags, {});
});

test('with length taken out of the scores, long answers win no more for being long', async () => {
  const many = Array.from({ length: 60 }, (_, n) => `q${String(n).padStart(3, '0')}`);
  // c is long and overrated for it; b is the best of its length
  const length = { a: 100, b: 110, c: 2000, d: 90 } as const;
  const rating = { a: 2, b: 3, c: 4, d: 2 } as const;
  const inputs = await laid('lengths', {
    completions: many.flatMap((id) =>
      FOUR.map((member) => completionRow(id, member, { text: `${member} `.repeat(length[member as 'a'] / 2) })),
    ),
    ratings: many.flatMap((id) => FOUR.map((member) => ratingRow(id, member, rating[member as 'a']))),
  });
  const plain = await run('plain', inputs);
  assert.ok(plain.pairs.every(({ chosen_id }) => chosen_id.endsWith('/c')));
  assert.ok((plain.report.bias.score_length_correlation ?? 0) > 0.8);
  const residual = await run('residual', inputs, { length_residual: true });
  assert.ok(residual.pairs.every(({ chosen_id }) => chosen_id.endsWith('/b')));
  assert.ok((residual.report.bias.length_slope_per_1000_characters ?? 0) > 0);
  assert.equal(residual.report.bias.chosen_longer < 1, true);
});

test('report and card tell sources, licences, judges, histograms and what was dropped, whatever the names hold', async () => {
  const odd = 'odd | name\n<b>';
  const files = {
    'prompts.jsonl': lines(
      prompts.map((prompt_id, n) => ({ prompt_id, prompt: 'q', source: n < 4 ? odd : 'chat', safety: false })),
    ),
    'sources.json': JSON.stringify([{ source: 'chat', from: 'chat', licence: 'cc-by-4.0', safety: false, read: 9, prompts: 8 }]),
    'contamination.jsonl': lines([{ prompt_id: 'x', benchmark: 'truthful_qa' }]),
  };
  const inputs = await laid('told', { completions: answers(), ratings: marks(), files });
  const { report, card } = await run('told', inputs, { test_prompts: 2, licences: { d: 'apache-2.0' } });
  assert.deepEqual(
    report.sources.map(({ source, licence, prompts, pairs }) => [source, licence, prompts, pairs]),
    [
      ['chat', 'cc-by-4.0', 8, 8],
      [odd, 'unknown', 4, 4],
    ],
  );
  assert.deepEqual(report.models.map(({ model, licence, chosen }) => [model, licence, chosen]).slice(0, 2), [
    ['model-d', 'apache-2.0', 12],
    ['model-a', 'unknown', 0],
  ]);
  assert.deepEqual([report.train_prefs, report.test_prefs, report.contamination], [10, 2, { truthful_qa: 1 }]);
  assert.match(card, /\| model-d \(d\) \| apache-2\.0 \| 12 \| 0 \| 0 \| 12 \| 0 \|/);
  assert.match(card, /\| judge-1 \| helpfulness \| judge-helpfulness \| abababababababab \| 48 \| 48 \| 0 \| 0 \|/);
  assert.ok(card.includes('| odd \\| name &lt;b> | unknown | 4 | 4 |'));
  assert.match(card, /\n2 {2}12 {2}█{40}\n3 {2}12 {2}█{40}\n/);
  assert.match(card, /\| truthful_qa \| 1 \|/);
  assert.doesNotMatch(card, /^license:/m);
});

test('ten thousand prompts are read side by side, each pair of its own answers', async () => {
  const ids = Array.from({ length: 10_000 }, (_, n) => sha256(String(n))).sort();
  function* completions() {
    for (const id of ids) for (const member of FOUR) yield completionRow(id, member);
  }
  function* ratings() {
    for (const [n, id] of ids.entries())
      for (const permutation of [0, 1])
        for (const [m, member] of FOUR.entries()) yield ratingRow(id, member, 1 + ((n + m) % 4), { permutation, position: m });
  }
  const { pairs, report } = await run('many', await laid('many', { completions: completions(), ratings: ratings() }), {
    test_prompts: 500,
  });
  assert.deepEqual([report.prompts, report.answers, report.train_prefs, report.test_prefs], [10_000, 40_000, 9500, 500]);
  const at = new Map(ids.map((id, n) => [id, n]));
  for (const { prompt_id, chosen_id, rejected_id, margin, score_chosen } of pairs) {
    assert.equal(chosen_id, `${prompt_id}/${FOUR[(7 - ((at.get(prompt_id) as number) % 4)) % 4]}`);
    assert.ok(rejected_id.startsWith(prompt_id) && rejected_id !== chosen_id && margin > 0 && score_chosen === 4);
  }
  const train = pairs.slice(0, 9500).map(({ prompt_id }) => prompt_id);
  assert.deepEqual(train, train.toSorted());
});
