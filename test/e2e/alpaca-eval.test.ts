import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { makeQuestionBank } from '../../src/practice/question-bank.ts';
import { startPractice } from '../rig/practice.ts';
import { missing, newPlace, root, zephyr } from '../rig/zephyr.ts';
import { importFolder } from './early-stop.ts';
import { importBase, writeTiny } from './tiny.ts';

const run = promisify(execFile);
const ROWS = 12;

interface Inspected {
  readonly manifest: {
    readonly metrics: {
      readonly benchmarks: readonly (Measured & {
        readonly name: string;
        readonly rejudged: readonly (Measured & { readonly model: string; readonly difference: { readonly mean: number } })[];
      })[];
    };
  };
}
interface Measured {
  readonly value: number | null;
  readonly n: number;
}

async function noPackage(): Promise<string | undefined> {
  const asked = run(process.execPath, [join(root, 'scripts', 'make-environment.mjs'), '--check', 'alpaca-eval']);
  return await asked.then(
    () => undefined,
    () => 'no Python environment alpaca-eval: node scripts/make-environment.mjs alpaca-eval',
  );
}

/** Questions about the practice world, baselines that say nothing of it, and another model that answers each rightly. */
async function writeRows(): Promise<{ readonly data: string; readonly others: string }> {
  const folder = async () => await mkdtemp(join(tmpdir(), 'zephyr-alpaca-'));
  const [data, others] = [await folder(), await folder()];
  const { phrasings } = makeQuestionBank(1);
  const chosen = phrasings.filter(({ question }) => question.demand === 'none').slice(0, ROWS);
  const rows = (output: (index: number) => string, generator: string) =>
    JSON.stringify(
      chosen.map(({ text }, index) => ({
        instruction: text,
        output: output(index),
        generator,
        dataset: index < 4 ? 'few' : 'many',
      })),
    );
  await writeFile(
    join(data, 'alpaca_eval.json'),
    rows(() => 'I would rather not say.', 'old'),
  );
  await writeFile(
    join(data, 'alpaca_eval_gpt4_baseline.json'),
    rows(() => 'It is hard to tell.', 'new'),
  );
  await writeFile(
    join(others, 'model_outputs.json'),
    rows((index) => `${chosen[index]?.question.values.join(', ')}.`, 'other'),
  );
  return { data, others };
}

it('A model is compared as alpaca_eval does, beside the public answers of another; another judge is asked all', {
  skip: missing() ?? (await noPackage()),
}, async (t) => {
  const practice = await startPractice(1);
  t.after(() => practice.stop());
  const place = await newPlace({ ZEPHYR_PRACTICE_URL: practice.url });
  await importBase(place);
  const { data, others } = await writeRows();
  await importFolder(place, data, 'hf://datasets/test/alpaca');
  await importFolder(place, others, 'hf://datasets/test/others');
  const tiny = await writeTiny();
  const settings = [
    'parts=[alpaca-eval]',
    'alpaca-eval.data=hf://datasets/test/alpaca',
    'alpaca-eval.maxTokens=8',
    'alpaca-eval.rejudge=[{model: Other, answers: "hf://datasets/test/others"}]',
  ];
  const asked = (judge: string) => [
    ...['eval', 'hf://models/test/base', tiny.recipe, '--on', tiny.on('process'), '--suite', 'paper'],
    ...[...settings, `judges=[${judge}]`].flatMap((setting) => ['--set', `eval.${setting}`]),
  ];
  const first = await zephyr(place, ...asked('judge'));
  assert.equal(first.code, 0, first.stderr);
  const { manifest } = JSON.parse((await zephyr(place, 'inspect', first.stdout.trim(), '--json')).stdout) as Inspected;
  const { benchmarks } = manifest.metrics;
  assert.deepEqual(
    benchmarks.map(({ name, n, rejudged }) => [name, n, ...rejudged.map((other) => [other.model, other.n])]),
    ['alpaca-eval-1', 'alpaca-eval-2'].map((name) => [name, ROWS, ['Other', ROWS]]),
  );
  const [byRank, byChance] = benchmarks.map(({ rejudged }) => rejudged[0]);
  assert.equal(byRank?.value, 1);
  assert.ok((byChance?.value ?? 0) > 0.5 && (byChance?.value ?? 0) < 1);
  for (const { value, rejudged } of benchmarks)
    assert.ok(Math.abs((value ?? 0) - (rejudged[0]?.value ?? 0) - (rejudged[0]?.difference.mean ?? 0)) < 1e-9);
  const calls = (await practice.answered()).length;
  assert.equal(calls, 4 * ROWS);
  const again = await zephyr(place, ...asked('judge'));
  assert.equal(again.stdout, first.stdout);
  assert.equal((await practice.answered()).length, calls);
  // a model that writes no verdict, and has no m or M among its first tokens: nothing is guessed
  const other = await zephyr(place, ...asked('direct'));
  assert.equal(other.code, 0, other.stderr);
  assert.equal(new Set(await practice.answered()).size, 2 * calls);
  const told = JSON.parse((await zephyr(place, 'inspect', other.stdout.trim(), '--json')).stdout) as Inspected;
  assert.deepEqual(
    told.manifest.metrics.benchmarks.map(({ value, n }) => [value, n]),
    benchmarks.map(() => [null, 0]),
  );
});
