import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textHistogram } from '../../../../src/stages/aif/pairs/card.ts';
import { histogram } from '../../../../src/stages/aif/pairs/rating-statistics.ts';

test('bars of a histogram begin in one column, the longest for the largest count', () => {
  const lines = textHistogram([
    [1, 12_000],
    [5, 600],
    [10, 3],
  ]);
  assert.deepEqual(lines, [` 1  12,000  ${'█'.repeat(40)}`, ' 5     600  ██', '10       3']);
  assert.deepEqual(textHistogram([]), []);
});

test('margins fall into whole steps, whatever their last digits', () => {
  assert.deepEqual(histogram([0.30000000000000004, 0.3, 0.25], 0.05), [
    [0.25, 1],
    [0.3, 2],
  ]);
});
