import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { smallestChanges } from '../../../src/plan/fit/changes.ts';
import type { GpuCase } from '../../../src/plan/fit/gpu-case.ts';
import { peakMemory } from '../../../src/plan/fit/memory.ts';
import { pairs, texts } from './cases.ts';

const names = { stage: 'dsft', microBatch: 'dsft', globalBatch: 128 };

const changesFor = (job: GpuCase, gib: number) =>
  smallestChanges(job, names, (other) => peakMemory(other).bytes <= gib * 2 ** 30).map((way) => way.join(' and '));

describe('What makes a training fit', () => {
  it('is sharding on eight GPUs of 80 GB that hold everything each', () => {
    assert.deepEqual(changesFor(texts({ ranks: 8, accumulation: 1 }), 79), ['hardware.sharding: fsdp2']);
  });

  it('is the largest micro batch that fits, and checkpointing where it was off, each by itself', () => {
    const job = texts({ ranks: 8, sharding: 'fsdp2' }, { gradientCheckpointing: false });
    assert.deepEqual(changesFor(job, 79), ['hardware.microBatch.dsft: 4', 'dsft.train.gradientCheckpointing: true']);
  });

  it('is more GPUs where nothing else helps one', () => {
    assert.deepEqual(changesFor(texts(), 139), ['2 GPUs (hardware.processes: 2, sharding: fsdp2)']);
  });

  it('is sharding and host memory on two small GPUs, not six GPUs that nobody has', () => {
    assert.deepEqual(changesFor(texts({ ranks: 2, accumulation: 4 }), 23.7), [
      'hardware.sharding: fsdp2 and hardware.offload: true (slow, and 108 GiB of each host)',
    ]);
    assert.deepEqual(changesFor(pairs({ ranks: 2, accumulation: 8 }), 23.7), [
      'hardware.sharding: fsdp2 and hardware.offload: true (slow, and 108 GiB of each host)',
    ]);
  });

  it('is a cached reference where only that is too much', () => {
    const job = pairs({ ranks: 2, sharding: 'fsdp2' }, { reference: 'online' });
    const between =
      (peakMemory(job).bytes / 2 ** 30 + peakMemory({ ...job, load: { ...job.load, reference: 'cached' } }).bytes / 2 ** 30) / 2;
    assert.ok(changesFor(job, between).includes('dsft.train.reference: cached'));
  });

  it('is two changes where one is not enough, and nothing where no target helps', () => {
    const [way = ''] = changesFor(texts({ ranks: 2, sharding: 'fsdp2' }), 15);
    assert.match(way, /^hardware\.microBatch\.dsft: \d+ and hardware\.offload: true \(slow, and 108 GiB of each host\)$/);
    assert.deepEqual(changesFor(texts(), 1), []);
    assert.deepEqual(changesFor(texts({}, { adapter: { rank: 8, targets: ['q_proj'] } }), 10), []);
  });

  it('never is a change that is not enough, or one that was needless', () => {
    const micro = fc.constantFrom(1, 2, 4, 8, 16);
    const choice = fc.record({ micro, ranks: fc.constantFrom(1, 2, 8), sharding: fc.constantFrom('none', 'fsdp2') });
    fc.assert(
      fc.property(choice, fc.boolean(), fc.double({ min: 4, max: 200, noNaN: true }), ({ micro, ranks, sharding }, kept, gib) => {
        const hardware = {
          microBatch: micro,
          ranks,
          sharding: sharding as 'none' | 'fsdp2',
          accumulation: 128 / (micro * ranks),
        };
        const job = texts(hardware, { gradientCheckpointing: kept });
        const tried: GpuCase[] = [];
        const fits = (other: GpuCase) => {
          const does = peakMemory(other).bytes <= gib * 2 ** 30;
          if (does) tried.push(other);
          return does;
        };
        fc.pre(!fits(job));
        const ways = smallestChanges(job, names, fits);
        assert.equal(ways.length > 0, tried.length > 0);
        assert.ok(new Set(ways.map(({ length }) => length)).size <= 1);
        for (const other of tried) assert.equal(128 % (other.hardware.ranks * other.hardware.microBatch), 0);
      }),
      { numRuns: 40 },
    );
  });
});
