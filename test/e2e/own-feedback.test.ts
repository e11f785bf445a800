import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { Manifest } from '../../src/model/manifest.ts';
import { assertMistake } from '../rig/mistake.ts';
import { type Ended, missing, newPlace, type Place, root, zephyr } from '../rig/zephyr.ts';
import { importFolder } from './early-stop.ts';
import { idOf, writeFeedback } from './feedback.ts';

const skip = missing();
const cases = join(root, 'test/fixtures/cases');
type Files = Readonly<Record<string, string | Uint8Array>>;

const lines = (rows: readonly unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const beds = Array.from({ length: 8 }, (_, bed) => ({
  asked: `Which soil suits bed ${bed}?`,
  good: `Loam, bed ${bed}.`,
  bad: 'No idea.',
}));

const texts = beds.map(({ asked, good, bad }) => ({ prompt: asked, chosen: good, rejected: bad }));

describe('data of users in zephyr aif', { skip, concurrency: false }, () => {
  let recipe: string;
  let place: Place;

  before(async () => {
    recipe = await writeFeedback();
    place = await newPlace();
  });

  test('prompts hold line separators, and none is torn', async () => {
    const file = await readFile(join(cases, 'line-separator-prompts.jsonl'));
    await bring('separators', { 'train_gen.jsonl': file });
    const { stderr } = await asked([{ ref: 'hf://datasets/test/separators' }]);
    assert.match(stderr, /aif\/prompts {2}done .* prompts 4 .* read 4$/m);
    assert.match(stderr, /aif\/generate {2}done .* 12 calls .* completions 12 · prompts 4$/m);
  });

  test('prompts of several configs are of one that is named, or refused with all names', async () => {
    const files = JSON.parse(await readFile(join(cases, 'two-configs.files.json'), 'utf8')) as Record<string, string>;
    await bring('configs', files);
    const source = { ref: 'hf://datasets/test/configs', split: 'train_sft', column: 'messages' };
    assert.match((await asked([source])).stderr, /aif\/prompts {2}done .* prompts 8 .* read 8$/m);
    assert.match((await asked([{ ...source, config: 'birds' }])).stderr, /aif\/prompts {2}done .* prompts 4 .* read 4$/m);
    assertMistake(
      await asked([{ ...source, config: 'fish' }]),
      2,
      /cannot find config "fish" of the dataset, expected all, birds/,
    );
    await bring('no-default', { ...files, 'README.md': (files['README.md'] ?? '').replace('  default: true\n', '') });
    assertMistake(
      await asked([{ ...source, ref: 'hf://datasets/test/no-default' }]),
      2,
      /cannot choose a config of the dataset: it has all, birds, and none is the default/,
    );
  });

  test('pairs in folders of splits are those of the split alone', async () => {
    const files = JSON.parse(await readFile(join(cases, 'folder-splits.files.json'), 'utf8')) as Record<string, string>;
    await bring('folders', files);
    const whole = { ref: 'hf://datasets/test/folders', train: 'train' };
    assert.equal((await made(await pairs({ ...whole, test: null }))).train_prefs, 8);
    const both = await made(await pairs({ ...whole, test: 'test' }));
    assert.deepEqual([both.train_prefs, both.test_prefs], [8, 3]);
    assertMistake(await pairs({ ...whole, train: 'nope', test: null }), 2, /cannot find split "nope": expected train, test/);
  });

  test('pairs are texts beside a prompt, compressed, and begin with a byte order mark', async () => {
    const rows = Buffer.from(`\uFEFF${lines(texts)}`);
    await bring('packed', { 'train.jsonl.gz': gzipSync(rows), 'test.jsonl.zst': zstdCompressSync(rows) });
    const metrics = await made(await pairs({ ref: 'hf://datasets/test/packed', train: 'train', test: 'test' }));
    assert.deepEqual(metrics, { train_prefs: 8, test_prefs: 8, oddities: {} });
  });

  test('pairs that cannot be used are told by reason, and are a mistake above the share of the recipe', async () => {
    const rows = [...texts, { prompt: 'x', chosen: 'y' }];
    await bring('dropped', { 'train.jsonl': lines(rows) });
    const source = { ref: 'hf://datasets/test/dropped', train: 'train', test: null };
    assertMistake(
      await pairs(source),
      2,
      /1 of 9 rows cannot be used \(1 no pair of answers\), the first is train\.jsonl, line 9; expected prompt \(or question\), chosen and rejected/,
      /aif\.maxDropped/,
    );
    const ended = await pairs({ ...source, maxDropped: 0.2 });
    assert.equal((await made(ended)).train_prefs, 8);
    assert.match(ended.stderr, /1 of 9 rows of split "train" of the pairs cannot be used and are left out: 1 no pair of answers/);
  });

  test('a folder that is no data is refused in one sentence, a Git LFS pointer at its import', async () => {
    const pointer = await readFile(join(cases, 'lfs-pointer.parquet'));
    const folder = await folderOf({ 'data/train_prefs-00000-of-00001.parquet': pointer });
    const imported = await zephyr(place, 'hub', 'import', folder, '--as', 'hf://datasets/test/pointer');
    assertMistake(imported, 2, /it is a Git LFS pointer, not the file: git lfs pull/);
    const source = { train: 'train', test: null };
    const REFUSED: Readonly<Record<string, readonly [Files, RegExp]>> = {
      saved: [
        { 'state.json': '{}', 'data-00000-of-00001.arrow': 'ARROW1' },
        /as save_to_disk writes it, expected Parquet or JSON Lines/,
      ],
      table: [{ 'train.csv': 'prompt,chosen,rejected\n' }, /cannot read "train\.csv", expected Parquet or JSON Lines/],
      broken: [
        { 'train.jsonl.gz': gzipSync(lines(beds)).subarray(0, 60) },
        /Cannot read "train\.jsonl\.gz".*: unexpected end of file/,
      ],
      garbage: [
        { 'train.parquet': `PAR1${'x'.repeat(60)}\x10\0\0\0PAR1` },
        /Cannot read "train\.parquet", it is no whole Parquet file/,
      ],
    };
    for (const [name, [files, message]] of Object.entries(REFUSED)) {
      await bring(name, files);
      assertMistake(await pairs({ ...source, ref: `hf://datasets/test/${name}` }), 2, message);
    }
  });

  async function folderOf(files: Files): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-data-'));
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), content);
    }
    return folder;
  }

  async function bring(name: string, files: Files): Promise<void> {
    await importFolder(place, await folderOf(files), `hf://datasets/test/${name}`);
  }

  /** Answers to prompts are bought and judged; nobody in the practice world knows better than others, so that no pair comes of it. */
  function asked(sources: readonly object[]): Promise<Ended> {
    return zephyr(place, 'aif', recipe, '--set', `aif.prompts.sources=${JSON.stringify(sources)}`);
  }

  function pairs(source: object): Promise<Ended> {
    return zephyr(place, 'aif', recipe, '--set', `aif=${JSON.stringify({ source: 'pairs', ...source })}`);
  }

  /** The metrics of what the stage published. */
  async function made(ended: Ended): Promise<Manifest['metrics']> {
    const inspected = await zephyr(place, 'inspect', idOf(ended), '--json');
    assert.equal(inspected.code, 0, inspected.stderr);
    return (JSON.parse(inspected.stdout) as { manifest: Manifest }).manifest.metrics;
  }
});
