import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { forEachAtOnce } from '../../src/calls/run-calls.ts';

test('items are taken as they are worked off, never more than the limit, which may grow', async () => {
  let limit = 2;
  let inHand = 0;
  let most = 0;
  const done: number[] = [];
  await forEachAtOnce(
    Array.from({ length: 50 }, (_, n) => n),
    () => limit,
    async (item) => {
      inHand += 1;
      most = Math.max(most, inHand);
      assert.ok(inHand <= limit, `${inHand} of ${limit}`);
      await turn();
      if (item === 20) limit = 5;
      inHand -= 1;
      done.push(item);
    },
  );
  assert.deepEqual([done.length, most], [50, 5]);
});

test('after an error nothing more is taken, and it is thrown when those in hand have ended', async () => {
  let begun = 0;
  let ended = 0;
  const work = async (item: number) => {
    begun += 1;
    await turn();
    if (item === 3) throw new Error('third');
    await turn();
    ended += 1;
  };
  await assert.rejects(forEachAtOnce([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 4, work), /third/);
  assert.ok(begun < 12);
  assert.equal(ended, begun - 1);
});

test('an error of the items themselves is thrown when those in hand have ended', async () => {
  let ended = 0;
  function* items() {
    yield 1;
    yield 2;
    throw new Error('no third');
  }
  const work = async () => {
    await turn();
    await turn();
    ended += 1;
  };
  await assert.rejects(forEachAtOnce(items(), 4, work), /no third/);
  assert.equal(ended, 2);
});
