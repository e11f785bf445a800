import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disagreement, judgedOf, preferenceShare } from '../../src/report/judged.ts';
import { ratingRow } from '../rig/feedback.ts';

const seen = (permutation: number, a: number, b: number, more = {}) => [
  ratingRow('p', 'a', a, { permutation, ...more }),
  ratingRow('p', 'b', b, { permutation, ...more }),
];

test('judgements disagree where another order or another judge prefers otherwise', () => {
  assert.equal(disagreement([...seen(0, 5, 3), ...seen(1, 4, 3)]), 0);
  assert.equal(disagreement([...seen(0, 5, 3), ...seen(1, 3, 4)]), 1);
  assert.equal(disagreement([...seen(0, 5, 3), ...seen(1, 3, 3)]), 1);
  assert.equal(disagreement([...seen(0, 5, 3), ...seen(0, 2, 3, { seat: 1, judge: 'other' })]), 1);
  assert.equal(disagreement([...seen(0, 5, 3), ...seen(0, 3, 5, { aspect: 'honesty' })]), null);
});

test('a comparison disagrees with itself when the winner stays in its place', () => {
  const compared = (permutation: number, a: number) => [
    ratingRow('p', 'a', null, { aspect: 'comparison', against: 'p/b', value: a, permutation, status: 'ok' }),
    ratingRow('p', 'b', null, { aspect: 'comparison', against: 'p/a', value: 1 - a, permutation, status: 'ok' }),
  ];
  assert.equal(disagreement([...compared(0, 1), ...compared(1, 1)]), 0);
  assert.equal(disagreement([...compared(0, 1), ...compared(1, 0)]), 1);
  assert.equal(preferenceShare([...compared(0, 1), ...compared(1, 0.5)], 'p/a', 'p/b'), 0.75);
});

test('the share for an answer counts judgements, ties half, and is nothing without any', () => {
  assert.equal(preferenceShare([...seen(0, 5, 3), ...seen(1, 3, 3)], 'p/a', 'p/b'), 0.75);
  assert.equal(preferenceShare([...seen(0, 5, 3)].slice(0, 1), 'p/a', 'p/b'), null);
});

test('an aspect that does not apply is told from one that could not be read', () => {
  const rows = [ratingRow('p', 'a', null, { aspect: 'honesty', na: true }), ratingRow('p', 'a', null)];
  assert.deepEqual(
    judgedOf(rows).map(({ aspect, value, na }) => [aspect, value, na]),
    [
      ['honesty', null, true],
      ['helpfulness', null, false],
    ],
  );
});
