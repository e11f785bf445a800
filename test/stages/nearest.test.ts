import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { distance, nearest } from '../../src/stages/nearest.ts';

describe('The nearest known word', () => {
  it('is the one with the fewest changed letters, whatever the case and the underscores', () => {
    assert.equal(nearest('learning_rate', ['learningRate', 'warmup']), 'learningRate');
    assert.equal(nearest('epcohs', ['epochs', 'batch']), 'epochs');
    assert.equal(nearest('zebra', ['epochs', 'batch']), undefined);
    assert.equal(nearest('x', []), undefined);
  });

  it('is measured the same from both sides, a swap of neighbours as one change', () => {
    const word = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        assert.equal(distance(a, b), distance(b, a));
        assert.equal(distance(a, b) === 0, a === b);
        assert.equal(distance(`${a}xy${b}`, `${a}yx${b}`), 1);
        assert.ok(distance(a, b) <= Math.max(a.length, b.length));
      }),
    );
  });
});
