import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { tableLines } from '../../src/render/table.ts';
import { textWidth, truncate, truncateMiddle } from '../../src/render/text-width.ts';

const columns = [{ title: 'step' }, { title: 'artifact', cut: 'middle' }, { title: 'cost', align: 'right' }] as const;
const rows = [
  ['prepare', 'datasets/org/zephyr-7b-sft-data@1a2b3c4', '$0'],
  ['judge', 'datasets/org/zephyr-7b-ratings@5d6e7f8', '$12.50'],
];

test('a table with room is aligned and whole', () => {
  assert.deepEqual(tableLines(columns, rows, { width: 80 }), [
    'step     artifact                                   cost',
    'prepare  datasets/org/zephyr-7b-sft-data@1a2b3c4      $0',
    'judge    datasets/org/zephyr-7b-ratings@5d6e7f8   $12.50',
  ]);
});

test('a table without room cuts its widest column, with a mark', () => {
  assert.deepEqual(tableLines(columns, rows, { width: 40 }), [
    'step     artifact                   cost',
    'prepare  datasets/or…ata@1a2b3c4      $0',
    'judge    datasets/or…ngs@5d6e7f8  $12.50',
  ]);
});

test('a column that must stay whole is never cut', () => {
  const lines = tableLines([{ title: 'id', cut: 'never' }, { title: 'note' }], [['x'.repeat(50), 'long enough to cut']], {
    width: 20,
  });
  assert.match(lines[1] ?? '', /^x{50} {2}lon…$/);
});

test('colour adds escapes and no width', () => {
  const plain = tableLines(columns, rows, { width: 60 });
  assert.deepEqual(tableLines(columns, rows, { width: 60, color: true }).map(stripVTControlCharacters), plain);
});

test('no line is wider than the terminal and no cell breaks its line', () => {
  const cell = fc.string({ unit: 'grapheme-ascii', maxLength: 60 });
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 }), fc.integer({ min: 1, max: 120 }), (cells, width) => {
      for (const line of tableLines(columns, cells, { width })) {
        assert.ok(textWidth(line) <= width);
        assert.doesNotMatch(line, /[\r\n\t]/);
      }
    }),
  );
});

test('cutting keeps a text that fits and fills the width of one that does not', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-composite', maxLength: 40 }), fc.integer({ min: 1, max: 40 }), (text, width) => {
      const length = [...text].length;
      for (const cut of [truncate(text, width), truncateMiddle(text, width)]) {
        assert.equal([...cut].length, Math.min(length, width));
        assert.equal(cut === text, length <= width || cut === text);
      }
    }),
  );
});
