import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Rating } from '../../../../src/judging/rating.ts';
import { type Score, scoreOf } from '../../../../src/stages/aif/pairs/scores.ts';
import { ratingRow } from '../../../rig/feedback.ts';

const rated = (aspect: string, rating: number | null, more: Partial<Rating> = {}) =>
  ratingRow('p', 'a', rating, { aspect, ...more });
const compared = (value: number, against: string, permutation = 0) =>
  ratingRow('p', 'a', null, { aspect: 'comparison', value, against, permutation, status: 'ok' });
const score = (ratings: Rating[], by: Score, aspects = ['honesty', 'helpfulness'], weights = {}) =>
  scoreOf(ratings, by, aspects, weights);

test('a score is the mean of the aspects, over a mean of the orders', () => {
  const ratings = [rated('honesty', 2), rated('honesty', 4, { permutation: 1 }), rated('helpfulness', 5)];
  assert.equal(score(ratings, 'mean_aspects'), 4);
});

test('of several judges the median counts, after the mean over the orders of each', () => {
  const seat = (seat: number, ...ratings: number[]) =>
    ratings.map((rating, permutation) => rated('helpfulness', rating, { seat, judge: `judge-${seat}`, permutation }));
  assert.equal(score([...seat(0, 1, 1), ...seat(1, 4, 5), ...seat(2, 5, 5)], 'mean_aspects', ['helpfulness']), 4.5);
  assert.equal(score([...seat(0, 1, 1), ...seat(1, 4, 5)], 'mean_aspects', ['helpfulness']), 2.75);
});

test('an answer that lacks a judgement it needs has no score, whichever is asked for', () => {
  const full = [rated('honesty', 4), rated('helpfulness', 4)];
  for (const by of ['mean_aspects', 'weighted'] as const) {
    assert.equal(score(full, by, undefined, { honesty: 1, helpfulness: 1 }), 4);
    assert.equal(score(full.slice(0, 1), by, undefined, { honesty: 1 }), null);
    assert.equal(score([...full, rated('honesty', null, { permutation: 1 })], by, undefined, { honesty: 1 }), null);
    assert.equal(score([], by), null);
  }
  for (const by of ['overall', 'reward', 'pairwise', 'expected'] as const) assert.equal(score(full, by), null, by);
});

test('"does not apply" is no number: left out of the mean, and its weight with it', () => {
  const ratings = [rated('honesty', null, { na: true }), rated('helpfulness', 4)];
  assert.equal(score(ratings, 'mean_aspects'), 4);
  assert.equal(score(ratings, 'weighted', undefined, { honesty: 9, helpfulness: 1 }), 4);
  assert.equal(score([rated('honesty', null, { na: true })], 'mean_aspects', ['honesty']), null);
});

test('weights tell how much an aspect counts', () => {
  const ratings = [rated('honesty', 1), rated('helpfulness', 5)];
  assert.equal(score(ratings, 'weighted', undefined, { honesty: 1, helpfulness: 3 }), 4);
  assert.equal(score(ratings, 'weighted', undefined, { helpfulness: 1 }), 5);
  assert.equal(score(ratings, 'weighted', undefined, {}), null);
});

test('the overall score is the judge’s own and never made of the aspects', () => {
  assert.equal(score([rated('overall', 1), rated('honesty', 5), rated('helpfulness', 5)], 'overall'), 1);
  assert.equal(score([rated('overall', null), rated('honesty', 5), rated('helpfulness', 5)], 'overall'), null);
});

test('an expected score takes ratings by log-probabilities alone', () => {
  const expected = [rated('honesty', 4, { value: 4.25, mass: 0.99 }), rated('helpfulness', 3, { value: 2.75, mass: 0.98 })];
  assert.equal(score(expected, 'expected'), 3.5);
  assert.equal(score([...expected.slice(0, 1), rated('helpfulness', 3)], 'expected'), null);
});

test('a reward is taken as it is, however negative', () => {
  assert.equal(score([rated('reward', null, { value: -3.5, status: 'ok' })], 'reward'), -3.5);
});

test('an answer’s comparisons give the share that it won, a tie being half', () => {
  assert.equal(score([compared(1, 'b'), compared(0.5, 'c'), compared(0, 'd'), compared(0, 'd', 1)], 'pairwise'), 0.375);
});

test('a full score lies between the least and the largest rating', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 8 }), (numbers) => {
      const ratings = numbers.map((rating, n) => rated(n % 2 === 0 ? 'honesty' : 'helpfulness', rating, { permutation: n }));
      const found = score(ratings, 'mean_aspects') as number;
      assert.ok(found >= Math.min(...numbers) - 1e-9 && found <= Math.max(...numbers) + 1e-9);
    }),
  );
});
