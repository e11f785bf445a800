import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dollarsOf, estimator } from '../../src/calls/estimate.ts';
import { call } from '../rig/asking.ts';

const asked = (characters: number, purpose = 'p') => {
  const one = call('x'.repeat(characters));
  return { ...one, purpose, sampling: { ...one.sampling, max_tokens: 500 } };
};
const reply = (promptTokens: number, completionTokens: number, text = '') => ({
  text,
  finishReason: 'stop',
  refusal: undefined,
  promptTokens,
  completionTokens,
  requestId: undefined,
  alternatives: undefined,
  raw: {},
});

test('until a few replies have come a call is taken to use all that it may, then what 95 % stay below', () => {
  const estimates = estimator();
  assert.deepEqual(estimates.estimate(asked(400)), { input: 104, output: 500 });
  for (let n = 1; n <= 100; n += 1) estimates.learn(asked(400), reply(208, n));
  assert.deepEqual(estimates.estimate(asked(400)), { input: 208, output: 95 });
  assert.deepEqual(estimates.estimate(asked(200, 'another purpose')), { input: 108, output: 500 });
});

test('a call with a schema takes the tokens of the schema as well', () => {
  const { input } = estimator().estimate({ ...asked(0), schema: { name: 's', schema: { type: 'string' } } });
  assert.equal(input, Math.ceil(4 + JSON.stringify({ name: 's', schema: { type: 'string' } }).length / 4));
});

test('a reply without usage counts by estimate and changes no ratio', () => {
  const estimates = estimator();
  assert.deepEqual(estimates.learn(asked(400), reply(0, 0, 'y'.repeat(10))), { input: 104, output: 3 });
  assert.equal(estimates.estimate(asked(400)).input, 104);
});

test('dollars are per million tokens, and unknown without a price', () => {
  assert.equal(dollarsOf({ input: 1e6, output: 5e5 }, { input: 3, output: 8, batch: 0.5 }), 7);
  assert.equal(dollarsOf({ input: 1, output: 1 }, undefined), null);
});
