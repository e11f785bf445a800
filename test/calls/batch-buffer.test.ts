import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PendingCall } from '../../src/calls/batch.ts';
import { BatchBuffer } from '../../src/calls/batch-buffer.ts';
import { TokenQueue } from '../../src/calls/batch-queue.ts';

const call = { span: { file: 1, offset: 0, length: 10 } } as PendingCall;

test('a buffer that waits for room looks at its calls when there is room, not at each that comes', () => {
  const queue = new TokenQueue();
  queue.limitTo(1000);
  const others = { tokens: 900 };
  queue.add(others);
  let looks = 0;
  const sent: number[] = [];
  const buffer = new BatchBuffer({
    requests: 10,
    bytes: 1e6,
    queue,
    tokensOf() {
      looks += 1;
      return 20;
    },
    send: (calls) => sent.push(calls.length),
    quietMs: 1e6,
  });
  for (let n = 0; n < 1000; n += 1) buffer.add(call);
  assert.ok(looks < 20, `${looks} looks`);
  queue.remove(others);
  queue.wake();
  assert.equal(sent.length, 100);
  buffer.take(() => true);
});
