import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { prompts } from '../../../../src/stages/aif/prompts/prompts.ts';
import type { PromptsConfig } from '../../../../src/stages/aif/prompts/step.ts';
import { folderWith } from '../../../rig/answering.ts';
import { INTAKE, lines, readPrompts, wordy } from '../../../rig/prompts-config.ts';
import { openWorkshop } from '../../../rig/task.ts';

const shop = await openWorkshop();
after(async () => {
  await shop.close();
  await rm(shop.folder, { recursive: true });
});
const run = (config: PromptsConfig, inputs: Readonly<Record<string, string>>) => shop.run('p', prompts, config, inputs);
const source = (rows: readonly object[], file = 'train_gen.jsonl') => folderWith(shop, { [file]: rows });

test('prompts that hold an item of a benchmark are dropped and named, with the words that they share', async () => {
  const item = wordy(20);
  const folder = await source([
    { prompt: `Please answer: ${wordy(13, 4).toUpperCase()}?`, prompt_id: 'hit', source: 'flan' },
    { prompt: `Please answer: ${wordy(12, 4)}?`, prompt_id: 'near', source: 'flan' },
    { prompt: 'So, can coughing stop a heart attack, doctor?', prompt_id: 'short', source: 'sharegpt' },
    { prompt: 'What is love and who cares?', prompt_id: 'part', source: 'sharegpt' },
    { prompt: 'what is LOVE?', prompt_id: 'whole', source: 'sharegpt' },
  ]);
  const mmlu = await source([{ question: 'unrelated' }, { question: item }], 'test.jsonl');
  const truthful = await source([{ asked: 'Can coughing stop a heart attack?' }, { asked: 'What is love?' }], 'validation.jsonl');
  const config: PromptsConfig = {
    ...INTAKE,
    max_characters: 5000,
    benchmarks: [
      { name: 'MMLU', input: 'benchmark-1', split: null, column: null },
      { name: 'TruthfulQA', input: 'benchmark-2', split: 'validation', column: 'asked' },
    ],
  };
  const inputs = { 'source-1': folder, 'benchmark-1': mmlu, 'benchmark-2': truthful };
  const { out, metrics } = await run(config, inputs);
  assert.deepEqual(
    (await readPrompts(out)).map(({ prompt_id }) => prompt_id),
    ['near', 'part'],
  );
  assert.deepEqual(metrics.contaminated, { flan: { MMLU: 1 }, sharegpt: { TruthfulQA: 2 } });
  assert.deepEqual(metrics.dropped, { 'in a benchmark': 3 });
  assert.deepEqual(await lines(out, 'contamination.jsonl'), [
    { prompt_id: 'hit', source: 'flan', benchmark: 'MMLU', row: 2, ngram: wordy(13, 4) },
    { prompt_id: 'short', source: 'sharegpt', benchmark: 'TruthfulQA', row: 1, ngram: 'can coughing stop a heart attack' },
    { prompt_id: 'whole', source: 'sharegpt', benchmark: 'TruthfulQA', row: 2, ngram: 'what is love' },
  ]);
  const card = await readFile(join(out, 'README.md'), 'utf8');
  assert.match(card, /\| flan \| MMLU \| 1 \|/);
  assert.match(card, /cannot be measured on it/);

  const strict = await run({ ...config, ngram: 8 }, inputs);
  assert.equal((strict.metrics.dropped as Record<string, number>)['in a benchmark'], 4);
  const kept = await run({ ...config, contaminated: 'report' }, inputs);
  assert.deepEqual([kept.metrics.prompts, (await lines(kept.out, 'contamination.jsonl')).length], [5, 3]);
  const blank = { ...config, benchmarks: [{ name: 'MMLU', input: 'benchmark-1', split: null, column: 'items' }] };
  await assert.rejects(run(blank, inputs), { exit: 'usage', message: /Cannot read benchmark "MMLU": expected text in items/ });
});

test('TruthfulQA prompts of UltraFeedback are left out with the reason on the card, unless the recipe wants them', async () => {
  const rows = [
    { prompt: 'Do vampires exist?', source: 'truthful_qa' },
    { prompt: 'Write a poem', source: 'evol_instruct' },
  ];
  const folder = await source(rows);
  const { out, metrics } = await run(INTAKE, { 'source-1': folder });
  assert.deepEqual(metrics.dropped, { 'source truthful_qa': 1 });
  assert.match(await readFile(join(out, 'README.md'), 'utf8'), /UltraFeedback took all 811 of them from the benchmark/);
  const all = await run({ ...INTAKE, drop_sources: [] }, { 'source-1': folder });
  assert.deepEqual(all.metrics.by_source, { truthful_qa: 1, evol_instruct: 1 });
});
