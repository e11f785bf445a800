import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDeadline } from '../../src/teachers/deadline.ts';

const MINUTE = 60_000;
/** Ends with the signal's reason, and never before. */
const wait = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });

test('work is given what it returns or throws, and leaves no timer', async () => {
  const { signal } = new AbortController();
  assert.equal(await withDeadline(signal, MINUTE, () => Promise.resolve(7)), 7);
  await assert.rejects(
    withDeadline(signal, MINUTE, () => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.ok(!process.getActiveResourcesInfo().includes('Timeout'));
});

test('too long ends one piece of work and not the next', async () => {
  const { signal } = new AbortController();
  const other = withDeadline(signal, MINUTE, async (own) => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    return own.aborted;
  });
  await assert.rejects(withDeadline(signal, 5, wait), { name: 'TimeoutError', message: 'No answer within 0.005 s' });
  assert.equal(await other, false);
});

test('an abort ends all that runs under the signal, and what is begun after it', async () => {
  const controller = new AbortController();
  const running = Array.from({ length: 100 }, () => withDeadline(controller.signal, MINUTE, wait));
  controller.abort(new Error('enough'));
  for (const each of await Promise.allSettled(running)) assert.equal(each.status === 'rejected' && each.reason.message, 'enough');
  await assert.rejects(withDeadline(controller.signal, MINUTE, wait), /enough/);
});
