import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootstrap, uniforms, wins } from '../../src/judging/bootstrap.ts';

test('uniform numbers are those of mulberry32', () => {
  const draw = uniforms(1);
  // The first three numbers of the published generator from state 1.
  assert.deepEqual([draw(), draw(), draw()], [0.6270739405881613, 0.002735721180215478, 0.5274470399599522]);
});

test('the interval of many equal values is the value', () => {
  assert.deepEqual(bootstrap([0.25, 0.25, 0.25], 1000, 1), { mean: 0.25, low: 0.25, high: 0.25 });
});

test('the interval of a large sample is the normal one', () => {
  const draw = uniforms(7);
  const values = Array.from({ length: 400 }, () => (draw() < 0.5 ? 1 : 0));
  const { mean, low, high } = bootstrap(values, 10_000, 3);
  const half = 1.96 * Math.sqrt((mean * (1 - mean)) / values.length);
  assert.ok(Math.abs(low - (mean - half)) < 0.005, `${low} is not ${mean - half}`);
  assert.ok(Math.abs(high - (mean + half)) < 0.005, `${high} is not ${mean + half}`);
});

test('two values give the three means that two draws of two can have', () => {
  // P(mean 0) = 1/4, P(mean 1) = 1/4: both lie beyond 2.5 %.
  assert.deepEqual(bootstrap([0, 1], 10_000, 5), { mean: 0.5, low: 0, high: 1 });
});

test('the same seed gives the same interval, another seed another one', () => {
  const values = [0, 0.1, 0.5, 0.7, 0.2, 0.9, 0.3];
  assert.deepEqual(bootstrap(values, 500, 1), bootstrap(values, 500, 1));
  assert.notDeepEqual(bootstrap(values, 500, 1), bootstrap(values, 500, 2));
});

test('no values have no mean', () => {
  assert.throws(() => bootstrap([], 10, 1), RangeError);
});

test('a tie is half a win', () => {
  assert.deepEqual(wins([1, 0, 0.5], [0, 1, 0.5]), [1, 0, 0.5]);
});
