import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GiveUpAfter } from '../../src/calls/give-up-rule.ts';

test('a key is given up after so many bad results, each key alone, and never after a good one', () => {
  const rule = new GiveUpAfter<string>(3);
  for (let n = 0; n < 2; n += 1) rule.record('one', false);
  assert.equal(rule.isReached('one'), false);
  rule.record('one', false);
  assert.equal(rule.isReached('one'), true);
  assert.equal(rule.isReached('other'), false);
  rule.record('other', true);
  for (let n = 0; n < 100; n += 1) rule.record('other', false);
  assert.equal(rule.isReached('other'), false);
});
