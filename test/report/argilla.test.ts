import assert from 'node:assert/strict';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { exportToArgilla } from '../../src/report/argilla.ts';
import { aifFolder, IDS } from './artifact.ts';

const { root, folder } = await aifFolder();
after(() => rm(root, { recursive: true }));
const ABOUT = { id: 'hf://datasets/org/name@0000', name: 'org/name', folder };

interface ArgillaRecord {
  readonly id: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly suggestions: Readonly<
    Record<string, { readonly value: unknown; readonly score: number | null; readonly agent: string }>
  >;
}
interface Property {
  readonly name: string;
  readonly type?: string;
  readonly settings: { readonly type: string; readonly options?: readonly { readonly value: unknown }[] };
}
const json = async <T>(path: string) => JSON.parse(await readFile(path, 'utf8')) as T;

const to = join(root, 'argilla');
const count = await exportToArgilla(to, ABOUT);
const records = await json<ArgillaRecord[]>(join(to, 'records.json'));
const settings = await json<Record<'fields' | 'questions' | 'metadata' | 'vectors', Property[]>>(
  join(to, '.argilla/settings.json'),
);

test('the folder holds what Argilla writes itself: settings, dataset, records', async () => {
  assert.deepEqual((await readdir(to, { recursive: true })).sort(), [
    '.argilla',
    '.argilla/dataset.json',
    '.argilla/settings.json',
    'records.json',
  ]);
  const dataset = await json<Record<string, unknown>>(join(to, '.argilla/dataset.json'));
  assert.deepEqual([dataset.name, dataset.status, dataset.workspace_id], ['name', 'draft', null]);
  assert.deepEqual(Object.keys(settings), [
    'guidelines',
    'questions',
    'fields',
    'vectors',
    'metadata',
    'allow_extra_metadata',
    'distribution',
    'mapping',
  ]);
  assert.deepEqual(settings.vectors, []);
  assert.equal(records.length, count);
  assert.ok(records.every(({ id }) => IDS.includes(id)));
});

test('every record fits the settings: fields, metadata, questions and their values', () => {
  const names = (properties: readonly Property[]) => properties.map(({ name }) => name);
  for (const record of records) {
    assert.deepEqual(Object.keys(record), [
      'id',
      'fields',
      'metadata',
      'suggestions',
      'responses',
      'vectors',
      'status',
      '_server_id',
    ]);
    assert.deepEqual(Object.keys(record.fields), names(settings.fields));
    assert.ok(Object.keys(record.metadata).every((name) => names(settings.metadata).includes(name)));
    for (const [name, { value, score, agent }] of Object.entries(record.suggestions)) {
      const question = settings.questions.find((each) => each.name === name);
      assert.ok(
        question?.settings.options?.some((option) => option.value === value),
        name,
      );
      assert.ok(score === null || (score >= 0 && score <= 1));
      assert.match(agent, /judge-0, judge-1/);
    }
  }
});

test('the chosen answer stands on either side, and the suggestion says on which', () => {
  const sides = records.map(({ suggestions }) => suggestions.preference?.value);
  assert.deepEqual(new Set(sides), new Set(['a', 'b']));
  for (const { suggestions, metadata, fields } of records) {
    const side = suggestions.preference?.value as 'a' | 'b';
    assert.equal(metadata.chosen_side, side);
    const gap = (fields.answer_a?.length ?? 0) - (fields.answer_b?.length ?? 0);
    assert.equal(metadata.length_gap, side === 'a' ? gap : -gap);
  }
});

test('a rating is suggested only where all orders and judges gave the same whole number', () => {
  const rated = records.flatMap(({ suggestions }) => Object.keys(suggestions).filter((name) => name !== 'preference'));
  assert.ok(rated.length > 0 && rated.length < records.length * 4);
  assert.ok(records.flatMap(({ suggestions }) => suggestions.preference?.score ?? []).some((score) => score < 1));
});

test('a folder that holds something is left alone', async () => {
  await assert.rejects(exportToArgilla(to, ABOUT), { name: 'ZephyrError', message: /expected a folder that is empty/ });
});
