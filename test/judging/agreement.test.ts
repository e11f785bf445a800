import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cohenKappa, krippendorff, share } from '../../src/judging/agreement.ts';
import { spearman } from '../../src/judging/correlation.ts';

const near = (found: number | null | undefined, expected: number, within = 1e-9) =>
  assert.ok(found != null && Math.abs(found - expected) <= within, `${found} is not ${expected}`);

test('a share comes with its score interval', () => {
  const found = share(8, 10);
  // Wilson: middle (0.8 + 0.19207) / 1.38415, half 0.226737
  near(found?.value, 0.8);
  near(found?.low, 0.49016, 1e-5);
  near(found?.high, 0.94332, 1e-5);
  assert.equal(share(0, 0), null);
});

test("Cohen's kappa is agreement beyond chance, by the textbook table of 20, 5, 10 and 15", () => {
  const times = (count: number, pair: readonly [string, string]) => Array.from({ length: count }, () => pair);
  const pairs = [...times(20, ['y', 'y']), ...times(5, ['y', 'n']), ...times(10, ['n', 'y']), ...times(15, ['n', 'n'])];
  const found = cohenKappa(pairs);
  // po = 0.7, pe = 0.5 x 0.6 + 0.5 x 0.4 = 0.5
  near(found?.value, 0.4);
  // 1.959964 sqrt(0.21 / 50) / 0.5
  near(found?.low, 0.4 - 0.254039, 1e-5);
  assert.equal(cohenKappa([]), null);
  assert.equal(cohenKappa(times(9, ['y', 'y'])), null);
});

test("Krippendorff's alpha is that of his own example with four observers and missing values", () => {
  const gap = undefined;
  const observers = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, gap, gap, gap],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, gap, 3],
    [gap, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, gap],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, gap],
  ];
  const found = krippendorff();
  for (let unit = 0; unit < 12; unit += 1) found.add(observers.flatMap((row) => row[unit] ?? []));
  near(found.alpha(), 0.849, 5e-4);
  const same = krippendorff();
  same.add([3, 3]);
  assert.equal(same.alpha(), null);
  assert.equal(krippendorff().alpha(), null);
});

test("Spearman's correlation is that of ranks, equal values sharing theirs", () => {
  near(spearman([1, 2, 3, 4], [10, 20, 30, 4000]), 1);
  near(spearman([1, 2, 3, 4], [4, 3, 2, 1]), -1);
  // ranks 1.5 1.5 3 4 against 1 2 3 4: 4.5 / sqrt(4.5 x 5)
  near(spearman([1, 1, 2, 3], [5, 6, 7, 8]), 4.5 / Math.sqrt(22.5));
  assert.equal(spearman([1, 1, 1], [1, 2, 3]), null);
  assert.equal(spearman([1], [1]), null);
});
