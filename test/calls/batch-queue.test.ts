import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TokenQueue, tokenQueues } from '../../src/calls/batch-queue.ts';

const SAID = 'Enqueued token limit reached for m in organization o. Limit: 90,000 enqueued tokens. Please try again.';

test('a refusal halves what is let in and takes over the limit that the server names', () => {
  const queue = new TokenQueue();
  assert.equal(queue.room, Number.POSITIVE_INFINITY);
  queue.add({ tokens: 20_000 });
  assert.equal(queue.refused(100_000, SAID), 1);
  assert.deepEqual([queue.room, queue.most], [40_000, 90_000]);
  assert.equal(queue.refused(100_000, SAID), 2);
  queue.admitted();
  queue.admitted();
  assert.equal(queue.room, 70_000);
  assert.equal(queue.refused(1, SAID), 1);
});

test('without a word on the limit it grows again up to that of the recipe', () => {
  const queue = new TokenQueue();
  queue.limitTo(1000);
  queue.refused(800, 'too many tokens');
  assert.equal(queue.room, 400);
  queue.admitted();
  queue.admitted();
  assert.equal(queue.room, 1000);
});

test('teachers of one name share a queue, its least limit and its turns', () => {
  const queueOf = tokenQueues();
  const queue = queueOf('m at a', undefined);
  assert.equal(queueOf('m at a', 500), queue);
  assert.equal(queueOf('m at a', 900), queue);
  assert.notEqual(queueOf('m at b', 900), queue);
  const [one, two] = [{ tokens: 100 }, { tokens: 300 }];
  const turns: string[] = [];
  const [first, second] = [() => void turns.push('first'), () => void turns.push('second')];
  queue.join(first);
  queue.join(second);
  queue.add(one, first);
  queue.add(two);
  assert.deepEqual([queue.room, queue.batches], [100, 2]);
  queue.remove(two);
  queue.wake();
  assert.deepEqual([queue.room, turns], [400, ['second', 'first']]);
});
