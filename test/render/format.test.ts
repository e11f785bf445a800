import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes, formatDollars, formatDuration, formatNumber, formatPercent, shortRef } from '../../src/render/format.ts';

test('durations get coarser as they get longer', () => {
  const texts = [0, 0.44, 9.94, 9.96, 59.4, 59.6, 60, 185, 3599.6, 3600, 7440, 86_399, 86_400, 277_200, -1, Number.NaN].map(
    formatDuration,
  );
  assert.deepEqual(texts, [
    '0.0 s',
    '0.4 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1m 00s',
    '1m 00s',
    '3m 05s',
    '1h 00m',
    '1h 00m',
    '2h 04m',
    '23h 59m',
    '1d 00h',
    '3d 05h',
    '-',
    '-',
  ]);
});

test('bytes keep two digits or three', () => {
  const texts = [0, 812, 1023, 1024, 1434, 10_240, 1_048_575, 14.5e9, 2 ** 60].map(formatBytes);
  assert.deepEqual(texts, ['0 B', '812 B', '1023 B', '1.0 KiB', '1.4 KiB', '10 KiB', '1.0 MiB', '14 GiB', '1024 PiB']);
});

test('dollars show fractions of a cent where there is no more', () => {
  assert.deepEqual([0, 0.0004, 0.41, 12.5, 999.994, 12_345.6].map(formatDollars), [
    '$0',
    '$0.0004',
    '$0.41',
    '$12.50',
    '$999.99',
    '$12,346',
  ]);
});

test('measured numbers stay short', () => {
  const texts = [5e-7, 0.0123456, 1.23456, 41_234.2, 207_865, 0, -0.5, Number.NaN].map(formatNumber);
  assert.deepEqual(texts, ['5.0e-7', '0.01235', '1.235', '41,234', '207,865', '0', '-0.5', 'NaN']);
});

test('a hundred percent is said of the whole only', () => {
  assert.deepEqual(
    [formatPercent(199.9, 200), formatPercent(200, 200), formatPercent(3, 2), formatPercent(0, 0)],
    ['99 %', '100 %', '100 %', '-'],
  );
});

test('a short reference names the repo and seven digits', () => {
  assert.equal(shortRef({ type: 'model', name: 'org/chat', commit: '1a2b3c4d'.repeat(5) }), 'org/chat@1a2b3c4');
});
