import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Unanswered } from '../../src/calls/unanswered.ts';

const ASKED = { teacher: 'judge', purpose: 'judge honesty' };
const declined = { kind: 'final', message: 'HTTP 400: too long', status: 400 } as const;
const failed = { kind: 'again', message: 'HTTP 500', status: 500 } as const;
const refused = { kind: 'refused', message: 'HTTP 400: no temperature', status: 400 } as const;

/** What is said of so many failures among 100 calls: a note, or an exit with its words. */
function said(failures: readonly Parameters<Unanswered['add']>[1][], maxUnanswered?: number): string {
  const notes: string[] = [];
  const unanswered = new Unanswered({ step: 'aif/judge', maxUnanswered, note: (message) => notes.push(message) });
  for (const failure of failures) unanswered.add(ASKED, failure);
  const counts = { asked: 50, replayed: 50 - failures.length, failed: failures.length };
  try {
    unanswered.check({ summary: () => counts as ReturnType<Parameters<Unanswered['check']>[0]['summary']> });
  } catch (error) {
    const { exit, message } = error as Error & { exit: string };
    return `${exit}: ${message}`;
  }
  return notes.join();
}
const times = <T>(count: number, item: T) => Array.from({ length: count }, () => item);

test('a step whose calls are all answered says nothing', () => {
  assert.equal(said([]), '');
});

test('without a word in the recipe one in twenty may be declined for what is in it, and no call may lack a reply otherwise', () => {
  const words = 'calls got no reply: 5 to teacher "judge" for "judge honesty" (HTTP 400: too long)';
  assert.equal(said(times(5, declined)), `5 of 100 ${words}; what they were for is left out`);
  assert.match(said(times(6, declined)), /^usage: Cannot end step aif\/judge: 6 of 100 calls got no reply/);
  assert.match(said([failed]), /^temporary: Cannot end step aif\/judge: 1 of 100 calls got no reply: 1 to .* \(HTTP 500\)$/);
  assert.match(said([...times(2, failed), refused]), /^preflight: .*: 2 to .*\(HTTP 500\), 1 to .*\(HTTP 400: no temperature\)$/);
});

test('the share of the recipe holds for all of them', () => {
  assert.match(said([failed, refused], 0.02), /left out$/);
  assert.match(said(times(3, failed), 0.02), /^temporary/);
  assert.match(said([declined], 0), /^usage/);
});
