import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { tableLines } from '../../src/render/table.ts';
import { loadWidths, pad, textWidth, truncate, truncateMiddle } from '../../src/render/text-width.ts';

const columns = [{ title: 'step' }, { title: 'artifact', cut: 'middle' }, { title: 'cost', align: 'right' }] as const;
const rows = [
  ['prepare', 'datasets/org/zephyr-7b-sft-data-of-today', '$0'],
  ['judge', 'datasets/org/zephyr-7b-ratings-of-today', '$12.50'],
];

test('a table with room is aligned and whole', () => {
  assert.deepEqual(tableLines(columns, rows, { width: 80 }), [
    'step     artifact                                    cost',
    'prepare  datasets/org/zephyr-7b-sft-data-of-today      $0',
    'judge    datasets/org/zephyr-7b-ratings-of-today   $12.50',
  ]);
});

test('a table without room cuts its widest column, with a mark', () => {
  assert.deepEqual(tableLines(columns, rows, { width: 40 }), [
    'step     artifact                   cost',
    'prepare  datasets/or…ta-of-today      $0',
    'judge    datasets/or…gs-of-today  $12.50',
  ]);
});

test('a column that must stay whole is never cut', () => {
  const lines = tableLines([{ title: 'id', cut: 'never' }, { title: 'note' }], [['x'.repeat(50), 'long enough to cut']], {
    width: 20,
  });
  assert.match(lines[1] ?? '', /^x{50} {2}lon…$/);
});

test('an ID that has no room goes whole under its row; a column of IDs alone then takes none', () => {
  const run = 'hf://models/my-org/zephyr-7b-dsft@run-01m820sd97v0ngfj902066m0kd';
  const columns = [{ title: 'run' }, { title: 'stage' }, { title: 'updated' }];
  const rows = [
    [run, 'dsft', '2026-11-22 16:18'],
    ['none yet', 'aif', '2026-11-22 16:20'],
  ];
  assert.deepEqual(tableLines(columns, rows, { width: 60 }), [
    'run       stage  updated',
    '          dsft   2026-11-22 16:18',
    `  ${run}`,
    'none yet  aif    2026-11-22 16:20',
  ]);
  assert.deepEqual(tableLines(columns, rows.slice(0, 1), { width: 60 }), [
    'stage  updated',
    'dsft   2026-11-22 16:18',
    `  ${run}`,
  ]);
  assert.match(tableLines(columns, rows, { width: 100 })[1] ?? '', new RegExp(`^${run} {2}dsft`));
});

test('of several IDs the first stay in their row, beside what is told of them, where there is room', () => {
  const columns = [{ title: 'repo' }, { title: 'main' }, { title: 'runs', align: 'right' }] as const;
  const [one, two] = ['a1'.repeat(20), 'b2'.repeat(20)];
  const rows = [
    ['hf://datasets/my-org/feedback-of-today', one, '0'],
    ['hf://models/my-org/zephyr-7b-dsft', two, '12'],
  ];
  const lines = [
    'repo                                    runs',
    'hf://datasets/my-org/feedback-of-today     0',
    `  ${one}`,
    'hf://models/my-org/zephyr-7b-dsft         12',
    `  ${two}`,
  ];
  for (const width of [44, 80]) assert.deepEqual(tableLines(columns, rows, { width }), lines);
  assert.equal(tableLines(columns, rows, { width: 88 }).length, 3);
});

test('words around an ID without room are wrapped with it', () => {
  const ref = `hf://datasets/org/pairs@${'a1'.repeat(20)}`;
  const lines = tableLines([{ title: 'step' }, { title: 'what' }], [['aif/binarize', `published pairs of ${ref}, as they are`]], {
    width: 50,
  });
  assert.deepEqual(lines, ['step', 'aif/binarize', '  published pairs of', `  ${ref},`, '  as they are']);
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

test('what may go under its row is whole there, where it would be cut in it', () => {
  const progress = '11 % · 228/2,000 · loss 2.08 · checkpoint 500';
  const columns = [{ title: 'step' }, { title: 'progress', cut: 'under' }] as const;
  assert.deepEqual(tableLines(columns, [['train', progress]], { width: 60 }).slice(1), [`train  ${progress}`]);
  assert.deepEqual(tableLines(columns, [['train', progress]], { width: 50 }).slice(1), ['train', `  ${progress}`]);
});

/** Texts and the columns that a terminal gives them. */
const WIDE: readonly (readonly [string, number])[] = [
  ['日本語の模型', 12],
  ['한국어', 6],
  ['👨‍👩‍👧', 2],
  ['🇩🇪🇫🇷', 4],
  ['e\u0301te\u0301', 3],
  ['naïve', 5],
  ['⠋ ██▌░ ▁▂▃ … → ✓', 16],
];

test('wide letters take two columns, a family one place of two, an accent none of its own', async () => {
  await loadWidths(WIDE.map(([text]) => text));
  for (const [text, width] of WIDE) assert.equal(textWidth(text), width, text);
  const lines = tableLines(
    [{ title: 'name' }, { title: 'n', align: 'right' }],
    WIDE.map(([text]) => [text, '1']),
    { width: 80 },
  );
  assert.deepEqual(new Set(lines.slice(1).map(textWidth)), new Set([19]));
  assert.equal(truncate('日本語の模型', 6), '日本…');
  assert.equal(truncateMiddle('日本語の模型', 6), '日…型');
});

test('a text of any letters that is cut or filled up never takes more columns than it was given', async () => {
  await loadWidths();
  const letters = fc.constantFrom('a', 'é', 'e\u0301', '語', '👨‍👩‍👧', '한', ' ', '…', '\u200b');
  const texts = fc.array(letters, { maxLength: 30 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 40 }), (text, width) => {
      assert.ok(textWidth(truncate(text, width)) <= width);
      assert.ok(textWidth(truncateMiddle(text, width)) <= width);
      assert.equal(textWidth(pad(truncate(text, width), width)), width);
    }),
  );
});
