import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { gainsOf } from '../../src/evaluations/lineage.ts';
import type { Hub } from '../../src/hub/hub.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { formatRef } from '../../src/model/artifact.ts';
import type { EvaluationItem } from '../../src/model/evaluation.ts';
import { type Measured, publishEvaluation, publishFiles, publishModel } from '../rig/evaluations.ts';
import { assertMistake } from '../rig/mistake.ts';
import { publishedPreferences, publishedTurns } from '../rig/published-items.ts';
import { missing, newPlace, type Place, zephyr } from '../rig/zephyr.ts';

const skip = { skip: missing() };
const mtBench = (model: string, judge = 'gpt-4'): Measured => ({
  name: 'mt-bench',
  title: 'MT-Bench',
  metric: 'score',
  scale: [1, 10],
  protocol: { judge: { model: judge } },
  items: publishedTurns(model),
});
const alpaca = (model: 'alpha' | 'beta'): Measured => ({
  name: 'alpaca-eval-1',
  title: 'AlpacaEval 1',
  metric: 'win rate',
  items: publishedPreferences(model),
});
const answered = (scores: readonly (number | null)[], name = 'smoke-words', cluster?: string): Measured => ({
  name,
  items: scores.map(
    (score, index): EvaluationItem => ({
      id: `${index}`,
      cluster: cluster ?? `${index}`,
      score,
      ...(score === null ? { dropped: 'unread' } : {}),
    }),
  ),
});

let place: Place;
let hub: Hub;
let made = 0;

before(async () => {
  place = await newPlace();
  hub = await openLocalHub(join(place.home, 'hub'));
});

/** A model with one evaluation for each list of benchmarks. */
async function evaluated(...evaluations: readonly (readonly Measured[])[]) {
  made += 1;
  const model = await publishModel(hub, `test/model-${made}`);
  const ids: string[] = [];
  for (const measured of evaluations) ids.push(formatRef(await publishEvaluation(hub, model, measured)));
  return { id: formatRef(model.ref), evaluations: ids };
}

const compare = async (...ids: readonly string[]) => await zephyr(place, 'compare', ...ids);

test('the published Zephyrs differ as in pairs, with all that a reader needs', skip, async () => {
  const alpha = await evaluated([alpaca('alpha'), mtBench('mistral-orpo-mix')]);
  const beta = await evaluated([alpaca('beta'), mtBench('mistral-orpo-trl')]);
  const { code, stdout, stderr } = await compare(alpha.id, beta.id);
  assert.equal(stderr, '');
  assert.equal(code, 0);
  assert.match(stdout, /AlpacaEval 1 +win rate +85\.8 % ±2\.4 +90\.6 % ±2\.0\n/);
  assert.match(stdout, /MT-Bench +score +6\.00 ±0\.6\d +7\.17 ±0\.6\d\n/);
  assert.match(stdout, /AlpacaEval 1 +B - A +\+4\.9 \[\+2\.\d, \+7\.\d\] +<0\.001 +802 +3\.3 +B\n/);
  assert.match(stdout, /MT-Bench +B - A +\+1\.16 \[\+0\.\d\d, \+1\.\d\d\] +<0\.001 +160 in 80 +0\.\d\d +B\n/);
  assert.match(stdout, /items scored on one side alone are left out: 1 for B, 2 for\sA/);
  for (const line of stdout.split('\n')) assert.ok(line.length <= 80 || line.includes('hf://'), line);

  const told = JSON.parse((await compare(alpha.id, beta.id, '--json')).stdout);
  assert.deepEqual(told.ids, [alpha.id, beta.id]);
  const [{ found }] = told.benchmarks.find(({ name }: { name: string }) => name === 'alpaca-eval-1').differences;
  assert.ok(Math.abs(found.mean - 0.048628) < 1e-6 && Math.abs(found.standardError - 0.011611) < 1e-6);
  assert.deepEqual(told.sides[1].evaluations, beta.evaluations);
});

test('three models have three differences, of which none is found by chance alone', skip, async () => {
  const flips = (odd: number) => answered(Array.from({ length: 40 }, (_, index) => ((index * odd) % 7 < 3 ? 1 : 0)));
  const models = [await evaluated([flips(2)]), await evaluated([flips(3)]), await evaluated([flips(5)])];
  const { stdout } = await compare(...models.map(({ id }) => id));
  for (const pair of ['B - A', 'C - A', 'C - B']) assert.match(stdout, new RegExp(`smoke-words +${pair} .* -\n`));
  assert.match(stdout, /Holm over the 3 shown/);
});

test('what was measured otherwise is shown and not subtracted', skip, async () => {
  const one = await evaluated([mtBench('mistral-orpo-trl')]);
  const other = await evaluated([mtBench('mistral-orpo-trl', 'another-judge')]);
  const { code, stdout } = await compare(one.id, other.id);
  assert.equal(code, 0);
  assert.match(stdout, /MT-Bench +score +7\.17 ±0\.\d\d +7\.17/);
  assert.match(stdout, /nothing can be subtracted/);
  assert.match(stdout, /MT-Bench, B - A: judge\.model is another-judge for B and gpt-4 for A/);
});

test('of several evaluations of a model the newest that fits the others is taken', skip, async () => {
  const one = await evaluated([mtBench('mistral-orpo-trl')], [mtBench('mistral-orpo-trl', 'another-judge')]);
  const other = await evaluated(
    [mtBench('mistral-orpo-mix', 'another-judge')],
    [mtBench('mistral-orpo-mix')],
    [answered([1, 0])],
  );
  const told = JSON.parse((await compare(one.id, other.id, '--json')).stdout);
  const [benchmark] = told.benchmarks;
  assert.deepEqual(
    benchmark.values.map(({ from }: { from: string }) => from),
    [one.evaluations[1], other.evaluations[0]],
  );
  assert.ok(Math.abs(benchmark.differences[0].found.mean + 1.1625) < 1e-9);
});

test('two evaluations of one model show what measuring again is worth', skip, async () => {
  const { evaluations } = await evaluated([answered([1, 0, 1, 1])], [answered([1, 0, 0, 1])]);
  const { stdout } = await compare(...evaluations);
  assert.match(stdout, /A and B are one model: what differs comes of the measuring/);
  assert.match(stdout, /B - A +-25\.0 \[-75\.0, 0\.0\] +1\.000 +4 .* -\n/);
});

test('items that are too few, dropped or all alike are said to be so', skip, async () => {
  const one = await evaluated([
    answered([1, 0, null]),
    answered([1], 'one'),
    answered([1, 0], 'turns', 'q'),
    answered([null], 'none'),
  ]);
  const other = await evaluated([
    answered([1, 0, 1]),
    answered([0], 'one'),
    answered([0, 0], 'turns', 'q'),
    answered([1], 'none'),
  ]);
  const { code, stdout } = await compare(one.id, other.id);
  assert.equal(code, 0);
  assert.match(stdout, /smoke-words +B - A +0\.0 \[0\.0, 0\.0\] +1\.000 +2 +- +alike\n/);
  assert.match(stdout, /smoke-words, B - A: items scored on one side alone are left out: 1 for B/);
  assert.match(stdout, /one, B - A: 1 item in common, too few for an error/);
  assert.match(stdout, /turns, B - A: 2 items in common, too few for an error/);
  assert.match(stdout, /none, B - A: 0 items in common, too few for an error/);
  assert.match(stdout, /none +acc +- +100\.0 %\n/);
});

test('models without a benchmark in common are shown side by side', skip, async () => {
  const { code, stdout } = await compare(
    (await evaluated([answered([1, 0])])).id,
    (await evaluated([answered([1, 0], 'other')])).id,
  );
  assert.equal(code, 0);
  assert.match(stdout, /smoke-words +acc +50\.0 % ±\d+\.\d +-\n/);
  assert.match(stdout, /nothing can be subtracted/);
});

test('what a model may have seen of a benchmark is said as far as its artifacts tell', skip, async () => {
  const source = (name: string) => ({ ref: { type: 'dataset', name, commit: 'a'.repeat(40) } as const, digest: 'b'.repeat(64) });
  const data = await publishFiles(
    hub,
    { type: 'dataset', name: 'test/pairs' },
    ['ddpo', 'prepare'],
    { 'rows.jsonl': '{}\n' },
    {
      inputs: { data0: source('HuggingFaceH4/ultrafeedback_binarized'), decontaminate: source('openai/gsm8k') },
      metrics: { dropped: { contaminated: 3, too_long: 9 } },
    },
  );
  const told = { inputs: { data } };
  const measured = ['truthfulqa', 'gsm8k', 'arc-challenge'].map((name) => answered([1, 0, 1], name));
  const model = await publishModel(hub, 'test/seen', told, ['ddpo', 'train']);
  const evaluation = formatRef(await publishEvaluation(hub, model, measured));
  const other = await evaluated(measured);
  const { code, stdout } = await compare(evaluation, other.id);
  assert.equal(code, 0);
  const text = stdout.replaceAll('\n', ' ');
  assert.match(
    text,
    /truthfulqa, A: it learned from hf:\/\/datasets\/HuggingFaceH4\/ultrafeedback_binarized@a{40}: UltraFeedback held/,
  );
  assert.match(text, /gsm8k, A: its items were looked for in ddpo\/prepare, which left out 3 rows/);
  assert.match(text, /not looked for in what A learned from: arc-challenge /);
  assert.match(text, /not looked for in what B learned from: truthfulqa, gsm8k, arc-challenge /);
});

test('what a model gained over the one that it was trained from is found by its lineage', async () => {
  const base = await publishModel(hub, 'test/lineage-base', {}, ['setup', 'base']);
  const tuned = await publishModel(hub, 'test/lineage-dsft', { inputs: { base } });
  const aligned = await publishModel(hub, 'test/lineage-ddpo', { inputs: { model: tuned } }, ['ddpo', 'train']);
  const [first, last] = [
    await publishEvaluation(hub, tuned, [alpaca('alpha')]),
    await publishEvaluation(hub, aligned, [alpaca('beta')]),
  ];
  assert.equal(await gainsOf(hub, first), undefined);
  await publishEvaluation(hub, base, [answered([0, 0])]);
  const gains = await gainsOf(hub, last);
  assert.deepEqual(
    gains?.sides.map(({ label }) => label),
    ['dsft', 'ddpo'],
  );
  // what the base was measured on besides is no gain of this evaluation
  await publishEvaluation(hub, base, [answered([0, 0]), alpaca('alpha')]);
  const wider = await gainsOf(hub, last);
  assert.deepEqual([wider?.sides.length, wider?.comparisons.map(({ name }) => name)], [3, ['alpaca-eval-1']]);
  const differences = gains?.comparisons.flatMap(({ differences: own }) => own) ?? [];
  assert.equal(differences.length, 1);
  assert.ok(differences[0] !== undefined && 'found' in differences[0]);
  assert.ok(Math.abs(differences[0].found.mean - 0.048628) < 1e-6);
});

test('published values stand in a table of their own, each with who measured it', skip, async () => {
  const [alpha, beta] = [await evaluated([alpaca('alpha')]), await evaluated([alpaca('beta')])];
  const { stdout } = await compare(alpha.id, beta.id, '--published');
  const [ours = '', theirs = ''] = stdout.split('published by others');
  assert.doesNotMatch(ours, /Llama/);
  assert.match(theirs, /AlpacaEval 1 +Zephyr 7B beta +90\.6 % +GPT-4 of 2023; arXiv 2310\.16944, table 1\n/);
  assert.match(theirs, /AlpacaEval 1 +Llama 2 Chat 70B +92\.7 % /);
  assert.doesNotMatch(theirs, /\d ±/);
  const { published } = JSON.parse((await compare(alpha.id, beta.id, '--published', '--json')).stdout);
  const row = published.find(({ model }: { model: string }) => model === 'Zephyr 7B beta');
  assert.deepEqual([row.value, row.standardError, row.measuredBy], [0.9059999999999999, 0.0103, 'GPT-4 of 2023']);
});

test('what cannot be compared is refused with a reason', skip, async () => {
  const { id, evaluations } = await evaluated([answered([1, 0])]);
  const [own = ''] = evaluations;
  const bare = formatRef((await publishModel(hub, 'test/bare')).ref);
  const bareSet = await publishEvaluation(hub, await publishModel(hub, 'test/older'), [answered([1, 0])]);
  assertMistake(await compare(id), 2, /Cannot compare 1 of them: expected from 2 to 26 IDs/);
  assertMistake(await compare(id, bare), 3, /there is no evaluation of it[\s\S]*zephyr eval hf:\/\/models\/test\/bare@/);
  assertMistake(await compare(id, id), 2, /both have the evaluation/);
  assertMistake(await compare(own, id), 2, /both have the evaluation/);
  assertMistake(await compare(id, 'nonsense'), 2, /Cannot read the ID "nonsense"/);
  assertMistake(await compare(id, 'hf://models/test/absent'), 3, /Cannot find/);

  const commitWith = async (path: string, content: string) => {
    const repo = { type: 'dataset', name: bareSet.name } as const;
    const parent = (await hub.resolve({ ...repo, revision: 'main' })) ?? '';
    const done = await hub.commit({ repo, branch: 'main', parent, message: 'test', add: [{ path, content }] });
    return formatRef({ ...repo, commit: done.ok ? done.commit : '' });
  };
  const broken = await commitWith('items/smoke-words.jsonl', '{"id": "0", "cluster": "0", "score": 1}\n{"id": "1", "clus');
  assertMistake(await compare(id, broken), 3, /Cannot read "items\/smoke-words.jsonl" of the evaluation .*: it is no JSON/);
  const cut = await commitWith('items/smoke-words.jsonl', '{"id": "0", "cluster": "0", "score": 1}\n');
  assertMistake(await compare(id, cut), 3, /it holds 1 items with a score, evaluation.json counts 2/);
  const twice = await commitWith('items/smoke-words.jsonl', '{"id": "0", "cluster": "0", "score": 1}\n'.repeat(2));
  assertMistake(await compare(id, twice), 3, /two of its items have the same id/);
  const newer = await commitWith('evaluation.json', '{"version": 2}');
  assertMistake(await compare(id, newer), 3, /it is of version 2, expected 1/);
  const other = await commitWith('evaluation.json', '{"version": 1}');
  assertMistake(await compare(id, other), 3, /Cannot read "evaluation.json" of the evaluation/);
  // named by its model, one that cannot be read is passed over
  assert.equal((await compare(id, 'hf://models/test/older')).code, 0);
  const plain = await hub.createRepo({ type: 'dataset', name: 'test/plain' });
  assert.equal(plain, 'created');
  assertMistake(await compare(id, 'hf://datasets/test/plain'), 2, /the dataset is no evaluation, it has no evaluation.json/);
});
