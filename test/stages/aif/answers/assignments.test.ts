import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hmacPickWeighted } from '../../../../src/base/hmac-choice.ts';
import { drawMembers } from '../../../../src/stages/aif/answers/assignments.ts';

const PROMPTS = Array.from({ length: 2000 }, (_, n) => `prompt ${n}`);
const pool = (...members: [id: string, weight: number, share?: number][]) =>
  members.map(([id, weight, share = null]) => ({ id, weight, share }));
const shareOf = (members: ReturnType<typeof pool>, count: number, id: string) =>
  PROMPTS.filter((prompt) => drawMembers(members, count, 1, prompt).some((member) => member.id === id)).length / PROMPTS.length;

test('a member with a share answers that share of the prompts, whatever its weight, and the rest is drawn by weight', () => {
  const members = pool(['own', 100, 0.3], ['a', 1], ['b', 1], ['c', 2]);
  assert.ok(Math.abs(shareOf(members, 2, 'own') - 0.3) < 0.04);
  const [a, c] = [shareOf(members, 2, 'a'), shareOf(members, 2, 'c')];
  assert.ok(c > a * 1.3, `${a} ${c}`);
  for (const prompt of PROMPTS) assert.equal(new Set(drawMembers(members, 2, 1, prompt)).size, 2);
  assert.equal(shareOf(pool(['own', 1, 1], ['a', 1], ['b', 1]), 2, 'own'), 1);
});

test('another share, another weight or another member moves as few draws as it can', () => {
  const before = pool(['own', 1, 0.3], ['a', 1], ['b', 1], ['c', 1]);
  const owned = (members: ReturnType<typeof pool>) =>
    new Set(PROMPTS.filter((prompt) => drawMembers(members, 2, 1, prompt).some(({ id }) => id === 'own')));
  const few = owned(before);
  const many = owned(pool(['own', 1, 0.6], ['a', 1], ['b', 1], ['c', 1], ['d', 3]));
  assert.ok([...few].every((prompt) => many.has(prompt)));
});

test('a weighted draw follows the weights, and neither the order of the names nor the scale of the weights matters', () => {
  const weights = { helpfulness: 60, truthfulness: 20, honesty: 18, verbalized_calibration: 2 };
  const turned = { verbalized_calibration: 0.2, honesty: 1.8, truthfulness: 2, helpfulness: 6 };
  const counts = new Map<string | undefined, number>();
  for (const prompt of PROMPTS) {
    const drawn = hmacPickWeighted(1, 'principle', weights, prompt);
    assert.equal(hmacPickWeighted(1, 'principle', turned, prompt), drawn);
    counts.set(drawn, (counts.get(drawn) ?? 0) + 1);
  }
  for (const [name, weight] of Object.entries(weights))
    assert.ok(Math.abs((counts.get(name) ?? 0) / PROMPTS.length - weight / 100) < 0.03, name);
  assert.equal(hmacPickWeighted(1, 'principle', {}, 'x'), undefined);
});
