import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ZephyrError } from '../../src/errors.ts';
import { accumulation } from '../../src/stages/accumulation.ts';

const positive = (max: number) => fc.integer({ min: 1, max });

describe('Gradient accumulation', () => {
  it('makes the global batch whole on every number of devices that divides it', () => {
    assert.equal(accumulation(128, { nodes: 1, processes: 8, microBatch: 16 }), 1);
    assert.equal(accumulation(128, { nodes: 2, processes: 4, microBatch: 8 }), 2);
    assert.equal(accumulation(128, { nodes: 1, processes: 1, microBatch: 1 }), 128);
    fc.assert(
      fc.property(positive(4), positive(16), positive(64), positive(64), (nodes, processes, microBatch, steps) => {
        assert.equal(accumulation(nodes * processes * microBatch * steps, { nodes, processes, microBatch }), steps);
      }),
    );
  });

  it('is refused where it does not divide, and every value that the hint names works', () => {
    fc.assert(
      fc.property(positive(512), positive(4), positive(16), positive(64), (globalBatch, nodes, processes, microBatch) => {
        fc.pre(globalBatch % (nodes * processes * microBatch) !== 0);
        const { hint = '' } = thrownBy(() => accumulation(globalBatch, { nodes, processes, microBatch }));
        for (const way of hint.split(', or ')) {
          const figure = (name: string) => Number(new RegExp(`${name} (\\d+)`).exec(way)?.[1] ?? 1);
          const shares = { nodes: figure('nodes'), processes: figure('processes'), microBatch: figure('microBatch') };
          assert.ok(/always divides$/.test(way) || accumulation(globalBatch, shares) >= 1);
        }
      }),
    );
  });

  it('names the nearest values that work', () => {
    const error = thrownBy(() => accumulation(128, { nodes: 1, processes: 6, microBatch: 8 }, 'microBatch.dsft'));
    assert.equal(error.exit, 'usage');
    assert.match(error.message, /global batch 128 over processes 6 x microBatch\.dsft 8 = 48/);
    assert.equal(error.hint, 'set processes 4 with microBatch.dsft 8 in the target');
    const ten = thrownBy(() => accumulation(128, { nodes: 1, processes: 8, microBatch: 10 }));
    assert.match(ten.hint ?? '', /microBatch 8 with processes 8/);
  });

  it('counts the nodes and names them', () => {
    const { message, hint } = thrownBy(() => accumulation(128, { nodes: 3, processes: 8, microBatch: 2 }));
    assert.match(message, /global batch 128 over nodes 3 x processes 8 x microBatch 2 = 48 rows/);
    assert.equal(hint, 'set nodes 2 with processes 8 and microBatch 2 in the target');
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
