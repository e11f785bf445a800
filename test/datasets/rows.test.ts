import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { conversationOf, textOf } from '../../src/datasets/conversation.ts';
import { listedPrompts } from '../../src/datasets/listed.ts';
import { parquetShape, writeParquet } from '../../src/datasets/parquet.ts';
import { allFiles, openSplit, placedRows, readRows, readSplit } from '../../src/datasets/rows.ts';
import { missing, python } from '../rig/zephyr.ts';

const CASES = 'test/fixtures/cases';
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
type Files = Readonly<Record<string, string | Uint8Array>>;

describe('Rows of a split', async () => {
  const root = await mkdtemp(join(tmpdir(), 'zephyr-rows-'));
  after(() => rm(root, { recursive: true }));
  let folders = 0;
  async function filled(files: Files): Promise<string> {
    folders += 1;
    const folder = join(root, String(folders));
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), content);
    }
    return folder;
  }
  const count = async (rows: AsyncIterable<unknown>) => (await all(rows)).length;

  it('are read whatever the type of a column that nobody uses', { skip: missing() }, async () => {
    await promisify(execFile)(python, [join(CASES, 'column-types.py'), join(root, 'types')]);
    for (const kind of ['time', 'date', 'decimal', 'bytes', 'nan']) {
      const rows = await all(readSplit(join(root, 'types', kind), { split: 'train_sft' }, { columns: ['messages'] }));
      assert.deepEqual(rows.map(Object.keys), Array(8).fill(['messages']));
      assert.equal(textOf(rows[7]?.messages), 'Which soil suits bed 7?');
    }
  });

  it('come in the order of their files, each with its place', async () => {
    const folder = await filled({ 'data/train-1.jsonl': '{"a": 3}\n', 'data/train-0.jsonl': '{"a": 1}\n\n[2]\n' });
    const placed = await all(placedRows(await openSplit(folder, { split: 'train' })));
    assert.deepEqual(
      placed.map(({ at, number, row }) => [at, number, row]),
      [
        ['data/train-0.jsonl, line 1', 1, { a: 1 }],
        ['data/train-0.jsonl, line 3', 2, undefined],
        ['data/train-1.jsonl, line 1', 3, { a: 3 }],
      ],
    );
    await assert.rejects(count(readSplit(folder, { split: 'train' })), {
      exit: 'usage',
      message: 'Cannot read data/train-0.jsonl, line 3: expected a JSON object',
    });
  });

  it('of a damaged Parquet file are a fault with column and rows, never a bug', async () => {
    const path = join(root, 'whole.parquet');
    const texts = Array.from({ length: 1500 }, (_, n) => ({ a: `text ${n} ${'x'.repeat(n % 90)}`, b: n }));
    await writeParquet(path, { a: 'string', b: 'int' }, texts);
    const bytes = await readFile(path);
    for (let at = 4; at < 60; at += 7) {
      const spoilt = Buffer.from(bytes);
      spoilt.fill(0xff, at, at + 40);
      await copyFile(path, join(root, 'spoilt.parquet'));
      await writeFile(join(root, 'spoilt.parquet'), spoilt);
      await assert.rejects(count(readRows(join(root, 'spoilt.parquet'))), {
        name: 'ZephyrError',
        exit: 'usage',
        message: /^Cannot read "spoilt\.parquet", column "a", rows 1 to 1000: /,
      });
      assert.equal(await count(readRows(join(root, 'spoilt.parquet'), ['b'])), 1500);
    }
    for (const end of [0, 3, 12, 100, bytes.length - 1]) {
      await writeFile(join(root, 'cut.parquet'), bytes.subarray(0, end));
      for (const read of [() => count(readRows(join(root, 'cut.parquet'))), () => parquetShape(join(root, 'cut.parquet'))])
        await assert.rejects(read, {
          name: 'ZephyrError',
          message: /^Cannot read "cut\.parquet", it is no whole Parquet file: /,
        });
    }
  });

  it('of a file that is not there, or is a Git LFS pointer, are a fault that says so', async () => {
    for (const name of ['gone.jsonl', 'gone.parquet'])
      await assert.rejects(count(readRows(join(root, name))), {
        exit: 'usage',
        message: `Cannot read "${name}": it is not there`,
      });
    const folder = await filled({ 'train.jsonl': await readFile(join(CASES, 'lfs-pointer.parquet')) });
    await assert.rejects(count(readSplit(folder, { split: 'train' })), {
      message: 'Cannot read "train.jsonl": it is a Git LFS pointer, not the file',
      hint: /git lfs pull/,
    });
  });

  it('to compare with are those of all files of data, whatever split they are of', async () => {
    const folder = await filled({
      'a/train.jsonl': '{"question": "One?"}\n',
      'b/test.ndjson': '{"conversations": [{"from": "human", "value": "Two?"}]}\n',
      '.cache/x.jsonl': '{"question": "hidden"}\n',
      'zephyr.json': '{\n}\n',
    });
    assert.deepEqual(await listedPrompts(folder), new Set(['one?', 'two?']));
    assert.deepEqual(
      (await allFiles(folder)).map(({ name }) => name),
      ['a/train.jsonl', 'b/test.ndjson'],
    );
  });
});

describe('A conversation', () => {
  const turns = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
  ];
  const SHAPES: Readonly<Record<string, unknown>> = {
    'of roles and contents': turns,
    ShareGPT: [
      { from: 'human', value: 'a', weight: null },
      { from: 'gpt', value: 'b' },
    ],
    'with a system turn without text': [{ role: 'system', content: null }, ...turns],
    'of parts': turns.map(({ role, content }) => ({ role, content: [{ type: 'text', text: content }] })),
    'as JSON text': JSON.stringify(turns),
    'of JSON texts': turns.map((turn) => JSON.stringify(turn)),
    'as a struct of lists': { role: ['user', 'assistant'], content: ['a', 'b'], name: null },
    'of other names of roles': [
      { role: 'Human', content: 'a' },
      { role: 'Model', content: 'b' },
    ],
  };
  for (const [name, value] of Object.entries(SHAPES))
    it(`${name} is read, and asks with its first user turn`, () => {
      assert.deepEqual(conversationOf(value), { ok: true, turns });
      assert.equal(textOf(value), 'a');
    });

  it('is never taken for a text, and no text for one', () => {
    for (const value of [null, undefined, 7, {}, [], [{ role: 'assistant', content: 'b' }], [{ role: 'tool', content: 'x' }]])
      assert.equal(textOf(value), undefined);
    for (const text of ['', '[1, 2]', '{"a": 1}', '[{"a": 1}]', '[not JSON', '"quoted"']) assert.equal(textOf(text), text);
  });
});
