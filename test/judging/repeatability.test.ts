import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgesReport } from '../../src/judging/repeatability.ts';
import type { EvaluationItem } from '../../src/model/evaluation.ts';

const item = (id: string, said: Readonly<Record<string, readonly (number | null)[]>>): EvaluationItem => ({
  id,
  cluster: id,
  score: 1,
  judged: Object.entries(said).flatMap(([judge, scores]) => scores.map((score, at) => ({ judge, pass: at + 1, score }))),
});

test('a judge that is asked again is held to what it said before', () => {
  const report = judgesReport([item('a', { one: [8, 8, 8] }), item('b', { one: [5, 6, 7] }), item('c', { one: [9, null, 9] })]);
  assert.deepEqual(report, { judges: [{ judge: 'one', passes: [6.5, 7, 7.5], spread: 1, same: 0.5, items: 2 }], alpha: null });
});

test('judges are held to one another', () => {
  const alike = judgesReport([item('a', { one: [1], two: [1] }), item('b', { one: [9], two: [9] })]);
  assert.deepEqual([alike?.alpha, alike?.judges.map(({ spread }) => spread)], [1, [null, null]]);
  const apart = judgesReport([item('a', { one: [1], two: [9] }), item('b', { one: [9], two: [1] })]);
  assert.ok(apart?.alpha != null && apart.alpha < 0);
});

test('what no judge scored has no report', () => {
  assert.equal(judgesReport([{ id: 'a', cluster: 'a', score: 1 }]), undefined);
  assert.deepEqual(judgesReport([item('a', { one: [null] })])?.judges, [
    { judge: 'one', passes: [], spread: null, same: null, items: 0 },
  ]);
});
