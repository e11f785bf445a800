// The formula's answer to the cases of memory_simulation.py: JSON in, JSON out.
import { text } from 'node:stream/consumers';
import type { GpuCase } from '../../src/plan/fit/gpu-case.ts';
import { peakMemory } from '../../src/plan/fit/memory.ts';
import type { ModelShape } from '../../src/plan/fit/shape.ts';

/** A case as the simulation reads it. */
interface SimulatedCase {
  readonly shape: {
    readonly hidden: number;
    readonly intermediate: number;
    readonly layers: number;
    readonly heads: number;
    readonly kvHeads: number;
    readonly vocab: number;
    readonly tied: boolean;
  };
  readonly world: number;
  readonly sharding: 'none' | 'fsdp2';
  readonly objective: 'tokens' | 'pairs';
  readonly rows: number;
  readonly length: number;
  readonly accumulation: number;
  readonly dtype: 'bfloat16' | 'float32';
  readonly attention: string;
  readonly checkpointing: boolean;
  readonly optimizer: string;
  readonly reference: 'none' | 'online';
  readonly lora: { readonly r: number; readonly targets: readonly string[] } | null;
}

function caseOf(simulated: SimulatedCase): GpuCase {
  const { hidden, intermediate, layers, heads, kvHeads, vocab, tied } = simulated.shape;
  const size = { hidden, intermediate, layers, heads, headWidth: hidden / heads };
  const shape: ModelShape = { ...size, keyHeads: kvHeads, vocabulary: vocab, tied };
  const { lora } = simulated;
  return {
    shape,
    load: {
      work: 'train',
      model: 'base',
      data: 'data',
      rows: simulated.objective === 'pairs' ? 'pairs' : 'texts',
      maxLength: simulated.length,
      dtype: simulated.dtype,
      attention: simulated.attention,
      optimizer: simulated.optimizer,
      gradientCheckpointing: simulated.checkpointing,
      logits: 'pieces',
      reference: simulated.reference,
      adapter: lora === null ? undefined : { rank: lora.r, targets: lora.targets },
      quantization: undefined,
      epochs: 1,
      maxSteps: undefined,
      guess: undefined,
    },
    hardware: {
      device: 'cpu',
      nodes: 1,
      ranks: simulated.world,
      sharding: simulated.sharding,
      offload: false,
      microBatch: simulated.rows,
      accumulation: simulated.accumulation,
    },
  };
}

const cases = JSON.parse(await text(process.stdin)) as SimulatedCase[];
process.stdout.write(JSON.stringify(cases.map((each) => peakMemory(caseOf(each)))));
