import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeParquet } from '../../../src/datasets/parquet.ts';
import { readSplit } from '../../../src/datasets/rows.ts';
import { passPairs } from '../../../src/stages/aif/pairs/pass-pairs.ts';
import { rebinarize } from '../../../src/stages/aif/pairs/rebinarize.ts';
import { UF_ASPECTS } from '../../../src/stages/aif/pairs/ultrafeedback.ts';
import { prompts } from '../../../src/stages/aif/prompts/prompts.ts';
import type { PromptsConfig } from '../../../src/stages/aif/prompts/step.ts';
import { promptLines } from '../../../src/stages/aif/prompts/texts.ts';
import { binarizeRule } from '../../rig/feedback.ts';
import { INTAKE, readPrompts, SOURCE } from '../../rig/prompts-config.ts';
import { openWorkshop } from '../../rig/task.ts';

/** Four prompts, in some of which stand U+2028 and U+2029 as they are. */
const file = await readFile('test/fixtures/cases/line-separator-prompts.jsonl', 'utf8');
const texts = file
  .trim()
  .split('\n')
  .map((line) => (JSON.parse(line) as { readonly prompt: string }).prompt);
const shop = await openWorkshop();
after(() => shop.close());

let folders = 0;
async function folderOf(name: string, content: string): Promise<string> {
  folders += 1;
  const folder = join(shop.folder, `separated-${folders}`);
  await mkdir(folder);
  await writeFile(join(folder, name), content);
  return folder;
}
/** With the separators as they are, as other programs write them. */
const lines = (rows: readonly unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const read = async (config: PromptsConfig, inputs: Readonly<Record<string, string>> = {}) =>
  (await readPrompts((await shop.run('p', prompts, config, inputs)).out)).map(({ prompt }) => prompt).sort();

test('prompts with line separators are the same from lines, from Parquet, from a list and from a file beside the recipe', async () => {
  assert.ok(texts.length === 4 && texts.some((text) => /[\u2028\u2029]/.test(text)));
  const expected = texts.toSorted();
  assert.deepEqual(await read(INTAKE, { 'source-1': await folderOf('train_gen.jsonl', file) }), expected);
  const folder = await folderOf('README.md', '# Prompts\n');
  await writeParquet(
    join(folder, 'data/train_gen-00000-of-00001.parquet'),
    { prompt: 'string' },
    texts.map((prompt) => ({ prompt })),
  );
  assert.deepEqual(await read(INTAKE, { 'source-1': folder }), expected);
  const written = promptLines('prompts.jsonl', file);
  assert.deepEqual(written.malformed, []);
  for (const list of [texts, written.list as PromptsConfig['sources'][number]['list']])
    assert.deepEqual(await read({ ...INTAKE, sources: [{ ...SOURCE, input: null, list }] }), expected);
});

test('an item of a benchmark with line separators is one item', async () => {
  const asked = `${'One two three four five six seven\u2028eight nine ten eleven twelve thirteen'} fourteen`;
  const config = { ...INTAKE, benchmarks: [{ name: 'B', input: 'benchmark-1', split: null, column: null }] };
  const benchmark = await folderOf('test.jsonl', lines([{ question: asked }]));
  const source = await folderOf('train_gen.jsonl', lines([{ prompt: asked }, { prompt: 'Another one' }]));
  assert.deepEqual(await read(config, { 'source-1': source, 'benchmark-1': benchmark }), ['Another one']);
});

test('pairs and ratings with line separators are as many as there are', async () => {
  const pairs = texts.map((prompt) => ({ prompt, chosen: `${prompt}\u2028yes`, rejected: `${prompt}\u2029no` }));
  const passed = await shop.run(
    's',
    passPairs,
    { version: 2, train: 'train', test: null, rows: { train: 4 } },
    {
      pairs: await folderOf('train.jsonl', lines(pairs)),
    },
  );
  const made: unknown[] = [];
  for await (const { prompt } of readSplit(passed.out, { split: 'train_prefs' })) made.push(prompt);
  assert.deepEqual(made, texts);

  const rated = (rating: string) => Object.fromEntries(UF_ASPECTS.map((aspect) => [aspect, { Rating: rating }]));
  const ratings = texts.map((instruction) => ({
    instruction,
    completions: [
      { model: 'a', response: 'x\u2028y', annotations: rated('5') },
      { model: 'b', response: 'z', annotations: rated('2') },
    ],
  }));
  const config = {
    ...binarizeRule,
    version: 2,
    aspects: [...UF_ASPECTS],
    test_prompts: 0,
    split: 'train',
    drop_sources: [],
    licence: null,
  };
  const { metrics } = await shop.run('r', rebinarize, config, { ratings: await folderOf('train.jsonl', lines(ratings)) });
  assert.equal(metrics.train_prefs, 4);
});
