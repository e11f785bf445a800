import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ZephyrError } from '../../src/errors.ts';
import { accumulation } from '../../src/stages/accumulation.ts';

const positive = (max: number) => fc.integer({ min: 1, max });

describe('Gradient accumulation', () => {
  it('makes the global batch whole on every number of devices that divides it', () => {
    assert.equal(accumulation(128, { processes: 8, microBatch: 16 }), 1);
    assert.equal(accumulation(128, { processes: 8, microBatch: 8 }), 2);
    assert.equal(accumulation(128, { processes: 1, microBatch: 1 }), 128);
    fc.assert(
      fc.property(positive(64), positive(64), positive(64), (processes, microBatch, steps) => {
        assert.equal(accumulation(processes * microBatch * steps, { processes, microBatch }), steps);
      }),
    );
  });

  it('is refused where it does not divide, and every value that the hint names works', () => {
    fc.assert(
      fc.property(positive(512), positive(16), positive(64), (globalBatch, processes, microBatch) => {
        fc.pre(globalBatch % (processes * microBatch) !== 0);
        const error = thrownBy(() => accumulation(globalBatch, { processes, microBatch }));
        const ways = [
          ...(error.hint ?? '').matchAll(/(?:microBatch (\d+) with processes (\d+)|processes (\d+) with microBatch (\d+))/g),
        ].flatMap(([, micro, ranks, otherRanks, otherMicro]) => [
          { microBatch: Number(micro ?? otherMicro), processes: Number(ranks ?? otherRanks) },
        ]);
        for (const way of ways) assert.ok(accumulation(globalBatch, way) >= 1);
      }),
    );
  });

  it('names the nearest values that work', () => {
    const error = thrownBy(() => accumulation(128, { processes: 6, microBatch: 8 }));
    assert.equal(error.exit, 'usage');
    assert.match(error.message, /global batch 128 over processes 6 x microBatch 8 = 48/);
    assert.equal(error.hint, 'set processes 4 with microBatch 8 in the target');
    assert.match(thrownBy(() => accumulation(128, { processes: 8, microBatch: 10 })).hint ?? '', /microBatch 8 with processes 8/);
  });
});

function thrownBy(call: () => unknown): ZephyrError {
  try {
    call();
  } catch (error) {
    if (error instanceof ZephyrError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: 'expected a ZephyrError' });
}
