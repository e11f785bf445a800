import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tokenQueue } from '../../src/calls/batch-queue.ts';

const SAID = 'Enqueued token limit reached for m in organization o. Limit: 90,000 enqueued tokens. Please try again.';

test('a refusal halves what is let in and takes over the limit that the server names', () => {
  const queue = tokenQueue();
  assert.equal(queue.room(5), Number.POSITIVE_INFINITY);
  queue.refused(100_000, 20_000, SAID);
  assert.equal(queue.room(0), 60_000);
  queue.admitted();
  queue.admitted();
  assert.equal(queue.room(0), 90_000);
});

test('without a word on the limit it grows again up to that of the recipe', () => {
  const queue = tokenQueue(1000);
  queue.refused(800, 0, 'too many tokens');
  assert.equal(queue.room(100), 300);
  queue.admitted();
  queue.admitted();
  assert.equal(queue.room(0), 1000);
});
