import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchInVain } from '../../src/calls/give-up-after.ts';

test('somebody is given up after so many bad results, each alone, and never after a good one', () => {
  const watch = watchInVain<string>(3);
  for (let n = 0; n < 2; n += 1) watch.heard('one', false);
  assert.equal(watch.isHopeless('one'), false);
  watch.heard('one', false);
  assert.equal(watch.isHopeless('one'), true);
  assert.equal(watch.isHopeless('other'), false);
  watch.heard('other', true);
  for (let n = 0; n < 100; n += 1) watch.heard('other', false);
  assert.equal(watch.isHopeless('other'), false);
});
