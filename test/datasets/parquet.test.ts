import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { type Columns, parquetShape, type Row, readParquet, writeParquet } from '../../src/datasets/parquet.ts';

const root = await mkdtemp(join(tmpdir(), 'zephyr-parquet-'));
after(() => rm(root, { recursive: true }));
const COLUMNS: Columns = {
  text: 'string',
  count: 'int',
  score: 'double',
  ok: 'bool',
  flags: 'strings',
  messages: { list: ['content', 'role'] },
};

async function back(path: string): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of readParquet(path)) rows.push(row);
  return rows;
}
const text = fc.oneof(fc.constant('same'), fc.string({ unit: 'grapheme', maxLength: 20 }));
const row = fc.record({
  text: fc.option(text),
  count: fc.option(fc.integer()),
  score: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
  ok: fc.boolean(),
  flags: fc.array(text, { maxLength: 4 }),
  messages: fc.array(fc.record({ content: text, role: fc.constantFrom('user', 'assistant') }, { noNullPrototype: true }), {
    maxLength: 4,
  }),
});

test('rows come back as they were written, and the same rows give the same bytes', () =>
  fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 30 }), async (rows) => {
      const [one, two] = [join(root, 'one.parquet'), join(root, 'two.parquet')];
      assert.equal(await writeParquet(one, COLUMNS, rows), rows.length);
      await writeParquet(two, COLUMNS, rows);
      assert.ok((await readFile(one)).equals(await readFile(two)));
      assert.deepEqual(
        await back(one),
        rows.map((each) => ({ ...each })),
      );
    }),
    { numRuns: 60 },
  ));

test('many rows make several row groups, read one after the other', async () => {
  const path = join(root, 'data/many.parquet');
  const rows = Array.from({ length: 2500 }, (_, n) => ({
    text: `t${n}`,
    count: n,
    score: n / 2,
    ok: n % 2 === 0,
    flags: ['a'],
    messages: [{ content: `c${n}`, role: 'user' }],
  }));
  await writeParquet(path, COLUMNS, rows);
  assert.deepEqual(await parquetShape(path), { columns: Object.keys(COLUMNS), rows: 2500 });
  assert.deepEqual(await back(path), rows);
});

test('a file without rows has its columns', async () => {
  const path = join(root, 'none.parquet');
  await writeParquet(path, COLUMNS, []);
  assert.deepEqual([await back(path), await parquetShape(path)], [[], { columns: Object.keys(COLUMNS), rows: 0 }]);
});
