import assert from 'node:assert/strict';
import { CANARY, type Ended } from './zephyr.ts';

/** What a user is told of a mistake: one `error:` that matches, a `hint:` at most, no stack, and the documented status. */
export function assertMistake(ended: Ended, code: number, message: RegExp, hint?: RegExp): void {
  const { stderr } = ended;
  assert.equal(ended.code, code, `stderr: ${stderr}`);
  assert.match(stderr, message);
  assert.equal(stderr.match(/^error: /gm)?.length, 1, stderr);
  assert.ok((stderr.match(/^hint: /gm)?.length ?? 0) <= 1, stderr);
  if (hint !== undefined) assert.match(/^hint: .*$/m.exec(stderr)?.[0] ?? '', hint);
  assert.doesNotMatch(stderr, /^\s+at |node:internal|this is a bug/m);
  assert.doesNotMatch(ended.stdout + stderr, new RegExp(CANARY));
}
