import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pause } from '../../src/calls/wait.ts';

test('a pause longer than any timer takes still lasts until it is broken off', async () => {
  const stop = new AbortController();
  const order: string[] = [];
  const paused = pause(2 ** 32, stop.signal).then(() => order.push('paused'));
  await new Promise((resolve) => setTimeout(resolve, 30));
  order.push('stopped');
  stop.abort();
  await paused;
  assert.deepEqual(order, ['stopped', 'paused']);
});
