import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sameWhenCut } from '../../../../src/stages/aif/pairs/same-when-cut.ts';

const TRAINER = { max_length: 100, max_prompt_length: 40 };
const tokens = (count: number, letter = 'x') => letter.repeat(4 * count);

test('answers that differ only beyond what the trainer keeps are the same to it', () => {
  const start = tokens(60);
  assert.ok(sameWhenCut(tokens(50), `${start} one end`, `${start} another end`, TRAINER));
  assert.ok(sameWhenCut(tokens(50), start + tokens(80), start + tokens(30), TRAINER));
});

test('a difference that the trainer sees counts', () => {
  const [early, late] = [tokens(10), tokens(59)];
  assert.equal(sameWhenCut(tokens(50), `${early}a${late}`, `${early}b${late}`, TRAINER), false);
  assert.equal(sameWhenCut('', 'yes', 'no', TRAINER), false);
});

test('what fits once the prompt has lost its beginning is not cut', () => {
  const start = tokens(59);
  assert.equal(sameWhenCut(tokens(500), `${start}aaaa`, `${start}bbbb`, TRAINER), false);
});
