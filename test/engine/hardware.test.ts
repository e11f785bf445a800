import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BACKENDS } from '../../src/backends/registry.ts';
import { hardwareOf } from '../../src/engine/hardware.ts';
import { targetSpec } from '../../src/recipe/target.ts';
import type { Step } from '../../src/stages/stage.ts';
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
    sharding: 'none',
    offload: false,
  });
  const single = hardwareOf(jobStep({}), target, { device: 'cpu', cores: 32 });
  assert.deepEqual([single.nodes, single.ranks, single.device, single.threads], [1, 1, 'cpu', 32]);
});

test('several ranks of a training are sharded as the target says, one rank never is', () => {
  const spec = targetSpec(stages, { queue: fakeQueue });
  const sharded = (hardware: object, step: Step = training) => {
    const target = spec.parse({ backend: 'queue', options, hardware: { sharding: 'fsdp2', ...hardware } });
    const given = hardwareOf(step, target, { device: 'cuda', cores: 32 });
    return [given.sharding, given.offload];
  };
  assert.deepEqual(sharded({ processes: 4 }), ['fsdp2', false]);
  assert.deepEqual(sharded({ nodes: 2, offload: true }), ['fsdp2', true]);
  assert.deepEqual(sharded({}), ['none', false]);
  assert.deepEqual(sharded({ processes: 4, offload: true }, jobStep({})), ['none', false]);
});

test('offload is refused where nothing is sharded', () => {
  const said = (hardware: object) =>
    targetSpec(stages)
      .safeParse({ backend: 'process', hardware: { offload: true, ...hardware } })
      .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  assert.match(said({ processes: 2 })?.[0] ?? '', /^hardware\.offload: expected false without sharding: fsdp2/);
  assert.match(said({ sharding: 'fsdp2' })?.[0] ?? '', /^hardware\.offload: expected false with one rank/);
  assert.equal(said({ sharding: 'fsdp2', processes: 2 }), undefined);
});

test('a backend that cannot give several nodes refuses them before anything begins', () => {
  const two = { backend: 'process', options, hardware: { nodes: 2 } };
  assert.match(targetSpec(stages).safeParse(two).error?.issues[0]?.message ?? '', /backend "process" runs a job on one machine/);
  assert.equal(
    targetSpec(stages, { queue: fakeQueue }).safeParse({ ...two, backend: 'queue', hardware: { nodes: 5 } }).success,
    false,
  );
});
