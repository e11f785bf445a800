import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contradictions } from '../../../../src/stages/aif/pairs/cross-check.ts';

const answers = Array.from({ length: 400 }, (_, n) => ({
  completion_id: `p${n}/a`,
  model: 'm',
  overall: 2 + (n % 8),
  mean_aspects: 1 + (n % 8) / 2,
}));
const worst = (n: number, overall = 10) => ({ completion_id: `worst ${n}`, model: 'm', overall, mean_aspects: 1 });

test('worst answers that are marked 10 stand out, the farthest first', () => {
  const found = contradictions([...answers, worst(1), worst(2, 9)], 3);
  assert.deepEqual(
    found.map(({ completion_id }) => completion_id),
    ['worst 1', 'worst 2'],
  );
  assert.ok((found[0]?.z_difference ?? 0) > 3);
});

test('scores that go together are no contradiction, nor are scores that are all the same', () => {
  assert.deepEqual(contradictions(answers, 3), []);
  assert.deepEqual(contradictions([worst(1), worst(2)], 3), []);
  assert.deepEqual(contradictions([], 3), []);
});

test('a lower threshold lists more', () => {
  const few = contradictions([...answers, worst(1), worst(2, 6)], 4).length;
  assert.ok(contradictions([...answers, worst(1), worst(2, 6)], 1).length > few);
});
