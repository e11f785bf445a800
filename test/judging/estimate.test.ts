import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { estimate, holm, pairedEstimate, type ScoredItem } from '../../src/judging/estimate.ts';
import { signFlip } from '../../src/judging/sign-flip.ts';
import { publishedPreferences, publishedTurns } from '../rig/published-items.ts';

const near = (seen: number | undefined, expected: number, within: number) =>
  assert.ok(seen !== undefined && Math.abs(seen - expected) <= within, `${seen} is not ${expected} +- ${within}`);
const apart = (items: readonly ScoredItem[]) => items.map((item) => ({ ...item, cluster: item.id }));

test('AlpacaEval 1 of Zephyr beta and alpha are the published rows', () => {
  const beta = estimate(publishedPreferences('beta'));
  near(beta?.mean, 0.9059775840597759, 1e-12);
  near(beta?.standardError, 0.010287080531312012, 1e-12);
  assert.equal(beta?.clusters, 803);
  const alpha = estimate(publishedPreferences('alpha'));
  near(alpha?.mean, 0.857587064676617, 1e-12);
  near(alpha?.standardError, 0.012285, 1e-6);
  assert.equal(alpha?.clusters, 804);
});

test('beta less alpha is known better in pairs than apart', () => {
  const paired = pairedEstimate(publishedPreferences('beta'), publishedPreferences('alpha'));
  near(paired?.mean, 0.048628, 1e-6);
  near(paired?.standardError, 0.011611, 1e-6);
  assert.deepEqual([paired?.n, paired?.onlyFirst, paired?.onlySecond], [802, 1, 2]);
  near(paired?.low, 0.048628 - 1.96 * 0.011611, 0.002);
  near(paired?.high, 0.048628 + 1.96 * 0.011611, 0.002);
  near(paired?.detectable, 0.03253, 1e-4);
  assert.ok(paired !== null && paired.p < 0.001);
});

test('MT-Bench has the error of its 80 questions, not of its 160 turns', () => {
  const published = { 'mistral-orpo-trl': 7.165625, 'mistral-orpo-capybara': 6.81875, 'mistral-orpo-mix': 6.003125 };
  for (const [model, mean] of Object.entries(published)) {
    const turns = publishedTurns(model);
    const [byQuestion, byTurn] = [estimate(turns), estimate(apart(turns))];
    assert.deepEqual([byQuestion?.mean, byQuestion?.clusters, byTurn?.clusters], [mean, 80, 160]);
    near(byQuestion?.standardError, 0.345, 0.01);
    near(byTurn?.standardError, 0.28, 0.015);
  }
  near(estimate(publishedTurns('mistral-orpo-trl'))?.standardError, 0.34, 0.005);
  near(estimate(apart(publishedTurns('mistral-orpo-trl')))?.standardError, 0.27, 0.005);
});

test('one cluster has no error, and no cluster no mean', () => {
  assert.equal(estimate([]), null);
  assert.equal(estimate([{ id: 'a', cluster: 'q', score: 1 }]), null);
  assert.equal(
    estimate([
      { id: 'a', cluster: 'q', score: 1 },
      { id: 'b', cluster: 'q', score: 0 },
      { id: 'c', cluster: 'r', score: null },
    ]),
    null,
  );
});

test('an id that is there twice is no pair', () => {
  const twice = [1, 2].map(() => ({ id: 'a', cluster: 'a', score: 1 }));
  assert.throws(() => pairedEstimate(twice, twice), /"a" is there twice/);
});

const scores = fc.array(fc.record({ cluster: fc.integer({ min: 0, max: 6 }), score: fc.integer({ min: 0, max: 10 }) }), {
  minLength: 2,
  maxLength: 30,
});
const itemsOf = (rows: readonly { cluster: number; score: number }[]): ScoredItem[] =>
  rows.map(({ cluster, score }, index) => ({ id: `${index}`, cluster: `${cluster}`, score }));
const few = { numRuns: 25 };

test('the error of items that are each a cluster is s / sqrt(n)', () => {
  fc.assert(
    fc.property(scores, (rows) => {
      const items = apart(itemsOf(rows));
      const mean = rows.reduce((sum, { score }) => sum + score, 0) / rows.length;
      const variance = rows.reduce((sum, { score }) => sum + (score - mean) ** 2, 0) / (rows.length - 1);
      near(estimate(items)?.standardError, Math.sqrt(variance / rows.length), 1e-9);
    }),
    few,
  );
});

test('items that only repeat their cluster add no certainty', () => {
  fc.assert(
    fc.property(scores, fc.integer({ min: 2, max: 4 }), (rows, times) => {
      const once = apart(itemsOf(rows));
      const repeated = once.flatMap((item) =>
        Array.from({ length: times }, (_, copy) => ({ ...item, id: `${item.id}/${copy}` })),
      );
      const [one, many] = [estimate(once), estimate(repeated)];
      near(many?.standardError, one?.standardError ?? Number.NaN, 1e-9);
      near(many?.low, one?.low ?? Number.NaN, 1e-9);
      assert.equal(many?.clusters, one?.clusters);
    }),
    few,
  );
});

test('the mean lies in its interval and shifts with the scores, the error does not', () => {
  fc.assert(
    fc.property(scores, fc.integer({ min: -50, max: 50 }), (rows, shift) => {
      const items = itemsOf(rows);
      const here = estimate(items);
      const there = estimate(items.map((item) => ({ ...item, score: (item.score ?? 0) + shift })));
      if (here === null) return assert.equal(there, null);
      assert.ok(here.low <= here.mean + 1e-9 && here.mean <= here.high + 1e-9);
      near(there?.mean, here.mean + shift, 1e-9);
      near(there?.standardError, here.standardError, 1e-9);
    }),
    few,
  );
});

test('a pair the other way round is the same with the other sign', () => {
  fc.assert(
    fc.property(scores, scores, (rows, others) => {
      const [first, second] = [apart(itemsOf(rows)), apart(itemsOf(others))];
      const [one, other] = [pairedEstimate(first, second), pairedEstimate(second, first)];
      near(other?.mean, -(one?.mean ?? Number.NaN), 1e-9);
      near(other?.standardError, one?.standardError ?? Number.NaN, 1e-9);
      assert.deepEqual([other?.wins, other?.losses, other?.ties, other?.n], [one?.losses, one?.wins, one?.ties, one?.n]);
      assert.deepEqual([other?.onlyFirst, other?.onlySecond], [one?.onlySecond, one?.onlyFirst]);
      near(other?.p, one?.p ?? Number.NaN, 0.02);
    }),
    few,
  );
});

test('a model against itself shows nothing, whatever its scores', () => {
  fc.assert(
    fc.property(scores, (rows) => {
      const items = apart(itemsOf(rows));
      const found = pairedEstimate(items, items);
      assert.deepEqual([found?.mean, found?.standardError, found?.p, found?.ties], [0, 0, 1, rows.length]);
    }),
    few,
  );
});

test('a difference common to all pairs has no error, however far the scores spread', () => {
  const items = Array.from({ length: 20 }, (_, index) => ({ id: `${index}`, cluster: `${index}`, score: index % 7 }));
  const found = pairedEstimate(
    items.map((item) => ({ ...item, score: item.score + 1 })),
    items,
  );
  assert.deepEqual([found?.mean, found?.standardError, found?.wins], [1, 0, 20]);
});

test('p-values of few pairs are those of all signs', () => {
  // of 8 combinations the two with equal signs are as far from 0
  assert.equal(signFlip([1, 1, 1], 100, 1), 0.25);
  // the sign test of 10 wins and no loss: 2 / 2^10
  assert.equal(signFlip(Array(10).fill(1), 100, 1), 2 / 1024);
  assert.equal(signFlip([0, 0], 100, 1), 1);
  assert.equal(signFlip([], 100, 1), 1);
});

test('p-values of many pairs are those of the normal distribution', () => {
  // 60 wins and 40 losses: z = 2, two-sided with correction for continuity about 0.057
  near(signFlip([...Array(60).fill(1), ...Array(40).fill(-1)], 10_000, 1), 0.0569, 0.01);
});

test('Holm raises the least p most, keeps their order and never lowers one', () => {
  assert.deepEqual(holm([]), []);
  assert.deepEqual(holm([0.2]), [0.2]);
  const raised = holm([0.01, 0.04, 0.03, 0.005]);
  [0.03, 0.06, 0.06, 0.02].forEach((expected, index) => {
    near(raised[index], expected, 1e-12);
  });
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }), (ps) => {
      const found = holm(ps);
      for (const [index, p] of ps.entries()) {
        assert.ok((found[index] as number) >= p && (found[index] as number) <= 1);
        for (const [other, q] of ps.entries()) if (p < q) assert.ok((found[index] as number) <= (found[other] as number));
      }
    }),
    few,
  );
});
