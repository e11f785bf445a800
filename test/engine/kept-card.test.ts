import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { readReadme, section, withSection, writeReadme } from '../../src/datasets/readme.ts';
import { mergedCard } from '../../src/engine/kept-card.ts';
import { resultFiles, setResults, withoutResults } from '../../src/evaluations/model-index.ts';
import type { KeptEvaluation } from '../../src/evaluations/read.ts';

const card = (text: string, licence: string) => `---\nlicense: ${licence}\ntags:\n  - zephyr\n---\n\n${section('card', text)}`;

function kept(commit: string, value: number): KeptEvaluation {
  const data = `hf://datasets/openai/gsm8k@${'a'.repeat(40)}`;
  const benchmark = {
    ...{ name: 'gsm8k', title: 'GSM8K', metric: 'exact_match', scale: [0, 1] as [number, number], value, standardError: null },
    ...{ n: 1319, dropped: {}, groups: {}, figures: {}, protocol: { data }, notes: [], estimate: null },
  };
  const model = { type: 'model' as const, name: 'org/chat', commit: 'b'.repeat(40), digest: 'd'.repeat(64) };
  const ref = { type: 'dataset' as const, name: 'org/chat-eval-modern', commit };
  return {
    ref,
    createdAt: '2026-03-04T05:06:07.000Z',
    evaluation: { version: 1, suite: 'modern', model, benchmarks: [benchmark] },
  };
}

test('a new card leaves what the user wrote into the last one: words outside of the marks and members of the head', () => {
  const last = card('first', 'mit');
  const edited = `${last.replace('license: mit', 'license: apache-2.0 # mine\nlanguage: en')}\nMy own words, $& and all.\n`;
  const merged = mergedCard(card('second', 'cc0-1.0'), edited, last);
  assert.match(merged, /license: apache-2\.0 # mine\n/);
  assert.match(merged, /language: en\n/);
  assert.match(merged, /second/);
  assert.doesNotMatch(merged, /first/);
  assert.ok(merged.endsWith('\nMy own words, $& and all.\n'), merged);
});

test('results of other weights go with a new card, and the license that nobody touched is the new one', () => {
  const last = card('first', 'mit');
  const { head, body } = readReadme(last);
  setResults(head, 'chat', [kept('c'.repeat(40), 0.5)]);
  const told = writeReadme({ head, body: withSection(body, 'evaluation', 'values') });
  assert.equal(mergedCard(card('second', 'cc0-1.0'), told, last), card('second', 'cc0-1.0'));
});

test('a second evaluation replaces only what the first one put into model-index', () => {
  const theirs = { name: 'mine', results: [{ dataset: { type: 'x', name: 'X' }, metrics: [{ type: 'acc', value: 1 }] }] };
  const { head } = readReadme(`---\nmodel-index: ${JSON.stringify([theirs])}\n---\n`);
  setResults(head, 'chat', [kept('c'.repeat(40), 0.5)]);
  setResults(head, 'chat', [kept('e'.repeat(40), 0.25)]);
  const [entry] = (head.toJS() as { 'model-index': { name: string; results: { metrics: object[] }[] }[] })['model-index'];
  assert.equal(entry?.name, 'mine');
  assert.deepEqual(entry?.results[0], theirs.results[0]);
  const evaluation = `hf://datasets/org/chat-eval-modern@${'e'.repeat(40)}`;
  assert.deepEqual(
    entry?.results.slice(1).map(({ metrics }) => metrics),
    [[{ type: 'exact_match', value: 25, name: 'exact_match (percent)', args: { evaluation, suite: 'modern', items: 1319 } }]],
  );
  withoutResults(head);
  assert.deepEqual((head.toJS() as Record<string, unknown>)['model-index'], [theirs]);
});

test('a registered benchmark has a file for the table of the Hub, with a date that stays a text', () => {
  const [[path, text] = ['', '']] = resultFiles([kept('c'.repeat(40), 0.5)]);
  assert.equal(path, '.eval_results/zephyr-gsm8k.yaml');
  const [entry] = parse(text, { version: '1.1' });
  assert.equal(entry.date, '2026-03-04');
  assert.deepEqual(entry.dataset, { id: 'openai/gsm8k', task_id: 'gsm8k', revision: 'a'.repeat(40) });
  assert.equal(entry.value, 50);
});
