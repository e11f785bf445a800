import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { progressBar, sparkline } from '../../src/render/sparkline.ts';

test('a falling loss is drawn from the top left to the bottom right', () => {
  assert.equal(sparkline([8, 7, 6, 5, 4, 3, 2, 1], 8), '█▇▆▅▄▃▂▁');
  assert.equal(
    sparkline(
      Array.from({ length: 100 }, (_, index) => 1 / (index + 1)),
      10,
    ),
    '█▂▁▁▁▁▁▁▁▁',
  );
});

test('a flat series is in the middle and an empty one is nothing', () => {
  assert.equal(sparkline([2, 2, 2], 8), '▄▄▄');
  assert.equal(sparkline([], 8), '');
  assert.equal(sparkline([Number.NaN], 8), '');
});

test('a curve is as wide as asked or as there are values', () => {
  fc.assert(
    fc.property(fc.array(fc.double(), { maxLength: 50 }), fc.integer({ min: 0, max: 30 }), (values, width) => {
      assert.equal([...sparkline(values, width)].length, Math.min(width, values.filter(Number.isFinite).length));
    }),
  );
});

test('a bar has its width whatever it shows', () => {
  assert.deepEqual(
    [progressBar(0, 4), progressBar(0.5, 4), progressBar(0.6, 4), progressBar(1, 4)],
    ['░░░░', '██░░', '██▍░', '████'],
  );
  fc.assert(
    fc.property(fc.double({ noNaN: true, min: -1, max: 2 }), fc.integer({ min: 0, max: 40 }), (done, width) => {
      assert.equal([...progressBar(done, width)].length, width);
    }),
  );
});
