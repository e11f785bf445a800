import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeParquet } from '../../../../src/datasets/parquet.ts';
import { readRows } from '../../../../src/datasets/rows.ts';
import { prompts } from '../../../../src/stages/aif/prompts/prompts.ts';
import type { PromptsConfig } from '../../../../src/stages/aif/prompts/step.ts';
import { promptLines } from '../../../../src/stages/aif/prompts/texts.ts';
import { promptId } from '../../../../src/stages/step-config.ts';
import { folderWith } from '../../../rig/answering.ts';
import { INTAKE, lines, readPrompts, SOURCE, wordy } from '../../../rig/prompts-config.ts';
import { digests, openWorkshop } from '../../../rig/task.ts';

const shop = await openWorkshop();
after(async () => {
  await shop.close();
  await rm(shop.folder, { recursive: true });
});
const listed = (list: PromptsConfig['sources'][number]['list'], more: Partial<PromptsConfig> = {}): PromptsConfig => ({
  ...INTAKE,
  ...more,
  sources: [{ ...SOURCE, input: null, list }],
});
const run = (config: PromptsConfig, inputs: Readonly<Record<string, string>> = {}) => shop.run('p', prompts, config, inputs);
const texts = async (out: string) => (await readPrompts(out)).map(({ prompt }) => prompt).sort();
const source = (rows: readonly object[], file = 'train_gen.jsonl') => folderWith(shop, { [file]: rows });

test('a file that begins with a byte order mark is read from its first line on', async () => {
  const folder = await source([]);
  await writeFile(join(folder, 'train_gen.jsonl'), '\uFEFF{"prompt": "one"}\r\n{"prompt": "two"}\r\n');
  const { out } = await run(INTAKE, { 'source-1': folder });
  assert.deepEqual(await texts(out), ['one', 'two']);
  assert.deepEqual(promptLines('p.jsonl', '\uFEFF{"prompt": "one"}'), { list: [{ prompt: 'one' }], malformed: [] });
  const rows: unknown[] = [];
  for await (const row of readRows(join(folder, 'train_gen.jsonl'))) rows.push(row);
  assert.deepEqual(rows, [{ prompt: 'one' }, { prompt: 'two' }]);
});

test('each prompt comes once, sorted by id, with its source; what is dropped is counted by reason and listed', async () => {
  const folder = await source([
    { prompt: 'one', prompt_id: 'id-1' },
    { prompt: 'two', source: 'flan' },
    { prompt: '  two\n' },
    { prompt: 'Ca\u0301fe\u0301 one' },
    { prompt: 'C\u00e1f\u00e9  one' },
    { prompt: '  ' },
    { prompt: 'x'.repeat(101) },
    { prompt: 'three', prompt_id: 'id-1' },
    { prompt: '\uD800 lone' },
    { prompt: 'a \0 byte' },
    { prompt: 'mis\uFFFDread' },
  ]);
  const { out, metrics } = await run({ ...INTAKE, max_dropped: 0.5 }, { 'source-1': folder });
  const row = (prompt_id: string, prompt: string, from: string, copies: number) => ({
    prompt_id,
    prompt,
    source: from,
    safety: false,
    copies,
  });
  const expected = [
    row('id-1', 'one', 'one', 1),
    row(promptId('two'), 'two', 'flan', 2),
    row(promptId('three'), 'three', 'one', 1),
    row(promptId('Ca\u0301fe\u0301 one'), 'Ca\u0301fe\u0301 one', 'one', 2),
  ];
  assert.deepEqual(
    await readPrompts(out),
    expected.sort((a, b) => (a.prompt_id < b.prompt_id ? -1 : 1)),
  );
  assert.deepEqual(metrics, {
    prompts: 4,
    read: 11,
    dropped: { 'not valid text': 3, duplicate: 2, empty: 1, 'too long': 1 },
    near_duplicates: { groups: 0, others: 0 },
    contaminated: {},
    by_source: { one: 3, flan: 1 },
  });
  assert.deepEqual(
    (await lines(out, 'rejects.jsonl')).map(({ at, reason }) => [at, reason]),
    [
      ['train_gen.jsonl, line 6', 'empty'],
      ['train_gen.jsonl, line 7', 'too long'],
      ['train_gen.jsonl, line 9', 'not valid text'],
      ['train_gen.jsonl, line 10', 'not valid text'],
      ['train_gen.jsonl, line 11', 'not valid text'],
    ],
  );
  assert.ok(!existsSync(join(out, '.candidates')));
});

test('a text of few characters may still be too long in tokens', async () => {
  const { metrics } = await run(listed(['short', '漢'.repeat(60)], { max_tokens: 40 }));
  assert.deepEqual(metrics.dropped, { 'too long': 1 });
});

test('several sources come together, each with its cap, licence and safety; a prompt in two of them belongs to the first', async () => {
  const config: PromptsConfig = {
    ...INTAKE,
    sources: [
      { ...SOURCE, name: 'evol', licence: 'mit', rows: 3 },
      { ...SOURCE, name: 'red team', input: null, list: ['number 1', 'how to harm?'], safety: true },
    ],
  };
  const folder = await source(Array.from({ length: 20 }, (_, n) => ({ prompt: `number ${n}` })));
  const { out, metrics } = await run(config, { 'source-1': folder });
  assert.deepEqual(
    [metrics.by_source, metrics.dropped],
    [
      { evol: 3, 'red team': 1 },
      { 'not drawn': 17, duplicate: 1 },
    ],
  );
  assert.deepEqual(
    (await readPrompts(out)).filter(({ safety }) => safety).map(({ prompt }) => prompt),
    ['how to harm?'],
  );
  assert.deepEqual(JSON.parse(await readFile(join(out, 'sources.json'), 'utf8')), [
    { source: 'evol', from: 'evol', licence: 'mit', safety: false, read: 20, prompts: 3 },
    { source: 'red team', from: 'red team', licence: null, safety: true, read: 2, prompts: 1 },
  ]);
  assert.match(await readFile(join(out, 'README.md'), 'utf8'), /\| evol \| evol \| mit \| 20 \| 3 \|/);
});

test('a cap keeps the same prompts when more are there, as far as they are still among the first drawn', async () => {
  const all = Array.from({ length: 200 }, (_, n) => ({ prompt: `prompt number ${n}` }));
  const capped = (rows: number) => ({ ...INTAKE, sources: [{ ...SOURCE, rows }] });
  const few = await texts((await run(capped(50), { 'source-1': await source(all.slice(0, 100)) })).out);
  const more = new Set(await texts((await run(capped(100), { 'source-1': await source(all) })).out));
  assert.equal(few.length, 50);
  assert.ok(few.filter((prompt) => more.has(prompt)).length > 25);
});

test('prompts come from Parquet, from the first user turn, or from the recipe itself', async () => {
  const folder = join(shop.folder, randomUUID());
  const messages = [
    { content: 'sys', role: 'system' },
    { content: 'asked', role: 'user' },
  ];
  const columns = { messages: { list: ['content', 'role'] }, source: 'string', prompt_id: 'string' } as const;
  await writeParquet(join(folder, 'data/train_gen-00000-of-00001.parquet'), columns, [
    { messages, source: 'sharegpt', prompt_id: 'p1' },
  ]);
  const { out } = await run({ ...INTAKE, sources: [{ ...SOURCE, column: 'messages' }] }, { 'source-1': folder });
  assert.deepEqual(await readPrompts(out), [{ prompt_id: 'p1', prompt: 'asked', source: 'sharegpt', safety: false, copies: 1 }]);
  await assert.rejects(run(INTAKE, { 'source-1': folder }), {
    message: /expected a column "prompt"/,
    hint: 'It has messages, source, prompt_id.',
  });
  const { out: own } = await run(listed(['written here', { prompt: 'with an id', prompt_id: 'x', source: 'me' }]));
  assert.deepEqual(
    (await readPrompts(own)).map(({ prompt_id, prompt, source: from }) => [prompt_id, prompt, from]).sort(),
    [
      [promptId('written here'), 'written here', 'one'],
      ['x', 'with an id', 'me'],
    ].sort(),
  );
});

test('all faulty rows are found and the first 20 named before anything is spent', async () => {
  const folder = await source([{ prompt: 'fine' }, { prompt: 3 }, { text: 'no' }]);
  await writeFile(join(folder, 'train_gen-00001.jsonl'), '{"prompt": "a"}\n{"prompt": \n\n[1]\n');
  await assert.rejects(run(INTAKE, { 'source-1': folder }), {
    exit: 'usage',
    message: /Cannot read 4 of 6 prompts/,
    hint: /one: train_gen-00001.jsonl, line 2; one: train_gen-00001.jsonl, line 4; one: train_gen.jsonl, line 2; one: train_gen.jsonl, line 3\./,
  });
  const { out, metrics } = await run({ ...INTAKE, skip_invalid: true, max_dropped: 0.7 }, { 'source-1': folder });
  assert.deepEqual([metrics.prompts, metrics.dropped], [2, { malformed: 2, 'no text': 2 }]);
  assert.deepEqual(
    (await lines(out, 'rejects.jsonl')).map(({ reason, text }) => [reason, text]),
    [
      ['malformed', '{"prompt": '],
      ['malformed', '[1]'],
      ['no text', '3'],
      ['no text', 'null'],
    ],
  );
  const many = await source(Array.from({ length: 30 }, () => ({ prompt: null })));
  await assert.rejects(run(INTAKE, { 'source-1': many }), { hint: /line 20 and 10 more/ });
});

test('a column that no row of a source has is one mistake, with the columns that there are', async () => {
  const folder = await source([{ instruction: 'a', id: 1 }, { instruction: 'b' }]);
  for (const skip_invalid of [false, true])
    await assert.rejects(run({ ...INTAKE, skip_invalid }, { 'source-1': folder }), {
      exit: 'usage',
      message: 'Cannot read source "one": expected a column "prompt", no row has one',
      hint: 'rows have instruction, id; name one in aif.prompts.sources.0.column',
    });
  const empty = await source([]);
  await assert.rejects(run(INTAKE, { 'source-1': empty }), { message: 'Cannot go on without a prompt: the sources hold none' });
});

test('of near duplicates the one with the smallest id stays, in whatever order they come; without the option they are listed', async () => {
  const long = wordy(60);
  const rows = [
    { prompt: long, prompt_id: 'b' },
    { prompt: `${long} indeed`, prompt_id: 'a' },
    { prompt: `${wordy(59)}!`, prompt_id: 'c' },
    { prompt: wordy(60, 500), prompt_id: 'd' },
  ];
  const config = { ...INTAKE, max_characters: 5000 };
  for (const each of [rows, rows.toReversed()]) {
    const folder = await source(each);
    const dropping = await run({ ...config, near_duplicates: 'drop' }, { 'source-1': folder });
    assert.deepEqual(
      (await readPrompts(dropping.out)).map(({ prompt_id }) => prompt_id),
      ['a', 'd'],
    );
    assert.deepEqual(dropping.metrics.dropped, { 'near duplicate': 2 });
    const reporting = await run(config, { 'source-1': folder });
    assert.equal(reporting.metrics.prompts, 4);
    for (const { out, metrics } of [dropping, reporting]) {
      assert.deepEqual(metrics.near_duplicates, { groups: 1, others: 2 });
      assert.deepEqual(await lines(out, 'near-duplicates.jsonl'), [{ first: 'a', others: ['b', 'c'] }]);
    }
  }
});

test('an id that stands for two prompts, or that is the digest of another one, leaves every prompt with an id of its own', async () => {
  const rows = [
    { prompt: 'a', prompt_id: promptId('b') },
    { prompt: 'b', prompt_id: promptId('b') },
    { prompt: 'c', prompt_id: '\uD800' },
  ];
  const found = await readPrompts((await run(INTAKE, { 'source-1': await source(rows) })).out);
  assert.equal(new Set(found.map(({ prompt_id }) => prompt_id)).size, 3);
  assert.equal(found.find(({ prompt }) => prompt === 'c')?.prompt_id, promptId('c'));
});

test('the same sources give the same bytes, and nothing is left when all is dropped', async () => {
  const folder = await source(Array.from({ length: 50 }, (_, n) => ({ prompt: `${wordy(10, n)}` })));
  const [one, other] = await Promise.all([run(INTAKE, { 'source-1': folder }), run(INTAKE, { 'source-1': folder })]);
  assert.deepEqual(await digests(one.out), await digests(other.out));
  await assert.rejects(run(listed([' '])), { message: /all were dropped/, hint: 'dropped: 1 empty' });
});
