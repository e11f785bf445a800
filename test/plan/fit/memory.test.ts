import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { effortOf } from '../../../src/plan/fit/effort.ts';
import type { GpuCase } from '../../../src/plan/fit/gpu-case.ts';
import { hostMemory, peakMemory } from '../../../src/plan/fit/memory.ts';
import { parameters, shapeIn } from '../../../src/plan/fit/shape.ts';
import { MISTRAL, MISTRAL_CONFIG, pairs, texts } from './cases.ts';

const GIB = 2 ** 30;
const gib = (job: GpuCase) => peakMemory(job).bytes / GIB;

describe('The shape of a model', () => {
  it('is read from config.json, with as many parameters as Mistral-7B has', () => {
    assert.deepEqual(shapeIn(JSON.stringify(MISTRAL_CONFIG)), MISTRAL);
    assert.equal(parameters(MISTRAL), 7_241_732_096);
  });

  it('is not guessed: another architecture, or a config that lacks a size, is said in words', () => {
    assert.match(String(shapeIn('{"model_type": "mixtral"}')), /^its architecture "mixtral" is none that is reckoned with/);
    assert.match(String(shapeIn('{}')), /"unnamed"/);
    assert.match(String(shapeIn('{"model_type": "llama", "hidden_size": 64}')), /nothing usable of intermediate_size/);
    assert.match(String(shapeIn('[')), /is no JSON/);
  });
});

describe('The memory of one rank', () => {
  it('is what the simulation says of a 7B on eight ranks that share', () => {
    const cpu = (job: GpuCase): GpuCase => ({ ...job, hardware: { ...job.hardware, device: 'cpu' } });
    // simulated: 28.46 and 17.26 GiB (configs/LOG.md)
    const close = (job: GpuCase, simulated: number) => {
      const ratio = gib(cpu(job)) / simulated;
      assert.ok(ratio >= 0.98 && ratio <= 1.1, `${ratio}`);
    };
    close(texts({ ranks: 8, sharding: 'fsdp2', microBatch: 16 }), 28.46);
    close(texts({ ranks: 8, sharding: 'fsdp2', microBatch: 4 }), 17.26);
  });

  it('is parted into what holds it, and the parts are the whole', () => {
    for (const job of [
      texts(),
      pairs({ ranks: 4 }, { reference: 'online' }),
      texts({ ranks: 2, sharding: 'fsdp2', offload: true }),
    ]) {
      const { use, bytes } = peakMemory(job);
      assert.equal(Math.round(Object.values(use).reduce((sum, part) => sum + part, 0)), Math.round(bytes));
    }
  });

  it('of a full fine-tune without sharding is 16 bytes a parameter, DDP copies the gradients, an online reference adds 4', () => {
    const N = parameters(MISTRAL);
    const fused = { optimizer: 'adamw_torch_fused' };
    const alone = peakMemory(pairs({}, fused)).use;
    assert.equal(alone.weights + alone.gradients + alone.optimizer, 16 * N);
    assert.equal(peakMemory(pairs({ ranks: 8 }, fused)).use.buckets - alone.buckets, 4 * N);
    assert.equal(alone.reference, 0);
    assert.equal(peakMemory(pairs({}, { reference: 'online' })).use.reference, 4 * N);
  });

  it('of an adapter needs no second model, and 4-bit weights a quarter', () => {
    const adapter = { rank: 16, targets: ['q_proj', 'v_proj', 'down_proj'] };
    const lora = peakMemory(pairs({}, { adapter, reference: 'online' })).use;
    assert.equal(lora.reference, 0);
    const four = peakMemory(pairs({}, { adapter, quantization: 'nf4' })).use;
    assert.ok(four.weights < 0.32 * lora.weights && four.weights > 0.25 * lora.weights);
    // sharding is not for adapters: what the target says of it changes nothing
    const sharded = pairs({ ranks: 8, sharding: 'fsdp2' }, { adapter });
    assert.equal(gib(sharded), gib(pairs({ ranks: 8 }, { adapter })));
  });

  it('lies in the host where it is offloaded', () => {
    const job = texts({ ranks: 2, sharding: 'fsdp2', offload: true });
    assert.equal(peakMemory(job).use.weights + peakMemory(job).use.optimizer, 0);
    assert.equal(hostMemory(job), 16 * parameters(MISTRAL));
    assert.equal(hostMemory(texts()), 0);
  });

  it('grows with everything that takes more', () => {
    const sharded = { ranks: 8, sharding: 'fsdp2' } as const;
    const base = gib(texts(sharded));
    assert.ok(gib(texts({ ...sharded, microBatch: 32 })) > base);
    assert.ok(gib(texts(sharded, { gradientCheckpointing: false })) > base);
    assert.ok(gib(texts(sharded, { attention: 'eager' })) > base);
    assert.ok(gib(texts(sharded, { logits: 'whole' })) > base);
    assert.ok(gib(texts({ ...sharded, accumulation: 2 })) > base);
    assert.ok(gib(texts({ ...sharded, ranks: 4 })) > base);
  });
});

describe('The time of a training', () => {
  it("of v0.3's dSFT is below the published 5,608 s on 8 H100, and above what the peak allows", () => {
    const job = texts({ ranks: 8, sharding: 'fsdp2' });
    const amount = { rows: 139_456, tokens: 139_456 * 2048 };
    const { seconds = 0, gpuHours = 0, dollars } = effortOf(job, 128, amount, { tflops: 989 });
    assert.ok(seconds > 5608 * 0.3 && seconds < 5608, `${seconds}`);
    assert.equal(Math.round(gpuHours * 450), Math.round(seconds));
    assert.equal(dollars, undefined);
    assert.equal(effortOf(job, 128, amount, { tflops: 989, dollarsPerHour: 2 }).dollars, 2 * gpuHours);
  });

  it('is that of the steps it is stopped at, and is not told where nothing says how fast a GPU is', () => {
    const amount = { rows: 128_000, tokens: 128_000 * 100 };
    const stopped = effortOf(texts({}, { maxSteps: 10 }), 128, amount, {});
    assert.equal(stopped.tokens, 128_000);
    // the trainer goes through its rows again until the steps are done
    assert.equal(effortOf(texts({}, { maxSteps: 2000 }), 128, amount, {}).tokens, 2 * amount.tokens);
    assert.deepEqual([stopped.gpuHours, stopped.seconds, stopped.dollars], [undefined, undefined, undefined]);
    assert.equal(effortOf(texts({}, { epochs: 3 }), 128, amount, {}).tokens, 3 * amount.tokens);
  });

  it('of an online reference is a third more, of an adapter a third less', () => {
    const flops = (job: GpuCase) => effortOf(job, 128, { rows: 1, tokens: 1 }, {}).flops;
    const full = flops(pairs());
    assert.ok(Math.abs(flops(pairs({}, { reference: 'online' })) / full - 4 / 3) < 0.01);
    const adapted = flops(pairs({}, { adapter: { rank: 8, targets: ['q_proj'] } }));
    assert.ok(Math.abs(adapted / full - 2 / 3) < 0.02);
    assert.ok(Math.abs(flops(pairs({}, { work: 'score' })) / full - 1 / 3) < 0.01);
  });
});
