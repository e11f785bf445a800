import type { GpuCase } from '../../../src/plan/fit/gpu-case.ts';
import type { ModelShape } from '../../../src/plan/fit/shape.ts';

/** As `mistralai/Mistral-7B-v0.1` has it, as far as sizes go. */
export const MISTRAL_CONFIG = {
  model_type: 'mistral',
  hidden_size: 4096,
  intermediate_size: 14_336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  vocab_size: 32_000,
  tie_word_embeddings: false,
};

export const MISTRAL: ModelShape = {
  hidden: 4096,
  intermediate: 14_336,
  layers: 32,
  heads: 32,
  headWidth: 128,
  keyHeads: 8,
  vocabulary: 32_000,
  tied: false,
};

type Hardware = Partial<GpuCase['hardware']>;
type Load = Partial<GpuCase['load']>;

/** dSFT of a 7B as v0.3 has it, on one GPU unless it is told otherwise. */
export function texts(hardware: Hardware = {}, load: Load = {}): GpuCase {
  return {
    shape: MISTRAL,
    load: {
      work: 'train',
      model: 'base',
      data: 'data',
      rows: 'texts',
      maxLength: 2048,
      dtype: 'bfloat16',
      attention: 'flash_attention_2',
      optimizer: 'adamw_torch',
      gradientCheckpointing: true,
      logits: 'pieces',
      reference: 'none',
      adapter: undefined,
      quantization: undefined,
      epochs: 1,
      maxSteps: undefined,
      guess: undefined,
      ...load,
    },
    hardware: {
      device: 'cuda',
      nodes: 1,
      ranks: 1,
      sharding: 'none',
      offload: false,
      microBatch: 16,
      accumulation: 1,
      ...hardware,
    },
  };
}

/** dDPO, with a cached reference unless it is told otherwise. */
export function pairs(hardware: Hardware = {}, load: Load = {}): GpuCase {
  return texts({ microBatch: 8, ...hardware }, { model: 'model', rows: 'pairs', maxLength: 1024, reference: 'cached', ...load });
}
