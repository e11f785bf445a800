import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BACKENDS } from '../../src/backends/registry.ts';
import { hardwareOf } from '../../src/engine/hardware.ts';
import { targetSpec } from '../../src/recipe/target.ts';
import { fakeQueue } from '../rig/fake-queue.ts';
import { stages } from '../rig/stages.ts';
import { jobStep } from './engine-rig.ts';

const training = { ...jobStep({}), work: { ...jobStep({}).work, training: { globalBatch: 64, microBatch: 'dsft' } } };
const options = { python: 'python3' };

test('a job is given nodes x ranks, and what auto means is what a node of the target has', () => {
  const spec = targetSpec(stages, { ...BACKENDS, queue: fakeQueue });
  const target = spec.parse({ backend: 'queue', options, hardware: { nodes: 2, processes: 4 } });
  assert.deepEqual(hardwareOf(training, target, { device: 'cuda', cores: 32 }), {
    device: 'cuda',
    nodes: 2,
    ranks: 4,
    threads: 8,
    microBatch: 1,
    accumulation: 8,
  });
  const single = hardwareOf(jobStep({}), target, { device: 'cpu', cores: 32 });
  assert.deepEqual([single.nodes, single.ranks, single.device, single.threads], [1, 1, 'cpu', 32]);
});

test('a backend that cannot give several nodes refuses them before anything begins', () => {
  const two = { backend: 'process', options, hardware: { nodes: 2 } };
  assert.match(targetSpec(stages).safeParse(two).error?.issues[0]?.message ?? '', /backend "process" runs a job on one machine/);
  assert.equal(
    targetSpec(stages, { queue: fakeQueue }).safeParse({ ...two, backend: 'queue', hardware: { nodes: 5 } }).success,
    false,
  );
});
