import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dollarsOf, Estimator } from '../../src/calls/estimate.ts';
import { call } from '../rig/asking.ts';

const asked = (characters: number, purpose = 'p') => {
  const one = call('x'.repeat(characters));
  return { ...one, purpose, sampling: { ...one.sampling, max_tokens: 500 } };
};
const reply = (promptTokens: number | undefined, completionTokens: number | undefined, text = '') => ({
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
  const estimates = new Estimator();
  assert.deepEqual(estimates.estimate(asked(400)), { input: 104, output: 500 });
  for (let n = 1; n <= 100; n += 1) estimates.learn(asked(400), reply(208, n));
  assert.deepEqual(estimates.estimate(asked(400)), { input: 208, output: 95 });
  assert.deepEqual(estimates.estimate(asked(200, 'another purpose')), { input: 108, output: 500 });
});

test('a call with a schema takes the tokens of the schema as well', () => {
  const { input } = new Estimator().estimate({ ...asked(0), schema: { name: 's', schema: { type: 'string' } } });
  assert.equal(input, Math.ceil(4 + JSON.stringify({ name: 's', schema: { type: 'string' } }).length / 4));
});

test('a reply without usage counts by estimate, changes no ratio, and costs all that it may have', () => {
  const estimates = new Estimator();
  const used = estimates.learn(asked(400), reply(undefined, undefined, 'y'.repeat(10)));
  assert.deepEqual(used, { input: 104, output: 3, billed: estimates.most(asked(400)) });
  assert.equal(estimates.estimate(asked(400)).input, 104);
});

test('the most that a call may cost is every byte a token and the longest reply, whatever the replies before it took', () => {
  const estimates = new Estimator();
  for (let n = 0; n < 20; n += 1) estimates.learn(asked(400), reply(100, 3));
  const { input, output } = estimates.most(asked(400));
  assert.ok(input >= 400 && input < 480, `${input}`);
  assert.equal(output, 500);
  const chinese = { ...asked(0), messages: [{ role: 'user' as const, content: '水'.repeat(100) }] };
  assert.ok(estimates.most(chinese).input >= 300);
});

test('what a server bills beyond every limit is set aside twice over from then on', () => {
  const estimates = new Estimator();
  estimates.learn(asked(400), reply(1000, 2500));
  estimates.learn(asked(400), reply(100, 600));
  const { input, output } = estimates.most(asked(400, 'another purpose'));
  assert.equal(output, 500 + 2 * 2000);
  assert.ok(input > 1000);
});

test('what the recipe says of reasoning is set aside from the first call on, and more once more was billed', () => {
  const estimates = new Estimator({ reasoningTokens: 1000 });
  assert.equal(estimates.most(asked(400)).output, 1500);
  assert.equal(estimates.trust(asked(400)).isFull, false);
  estimates.learn(asked(400), reply(100, 2000));
  assert.equal(estimates.most(asked(400)).output, 500 + 2 * 1500);
});

test('dollars are per million tokens, and unknown without a price', () => {
  assert.equal(dollarsOf({ input: 1e6, output: 5e5 }, { input: 3, output: 8, batch: 0.5 }), 7);
  assert.equal(dollarsOf({ input: 1, output: 1 }, undefined), null);
});
