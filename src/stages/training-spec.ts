import * as z from 'zod';
import { FLASH_ATTENTION, MASKED_ATTENTION } from './generated/programs.ts';

/** Every number below is part of the fingerprint unless its description says otherwise. */
const SCHEDULES = ['cosine', 'linear', 'constant', 'constant_with_warmup'] as const;
const OPTIMIZERS = ['adamw_torch', 'adamw_torch_fused', 'rmsprop', 'adafactor', 'paged_adamw_32bit', 'paged_adamw_8bit'] as const;
const ATTENTION = ['auto', ...FLASH_ATTENTION, ...MASKED_ATTENTION] as const;

/** The seven linear projections of a Mistral or Llama block: what alignment-handbook v0.3 adapts. */
const ALL_LINEAR = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;

/** What dSFT and dDPO training have in common. */
export const trainingFields = {
  learningRate: z
    .number()
    .positive()
    .max(1)
    .describe('Peak learning rate; v0.3: 2e-5 for full dSFT, 5e-7 for full dDPO, ten times that with LoRA'),
  schedule: z.enum(SCHEDULES).default('cosine').describe('Learning rate schedule; v0.3: cosine, the paper: linear for dDPO'),
  warmup: z
    .number()
    .min(0)
    .lt(1)
    .default(0.1)
    .describe('Share of all steps over which the rate rises from 0, rounded up to whole steps; v0.3: 0.1'),
  epochs: z.number().positive().describe('Passes over the training rows; v0.3: 1'),
  maxSteps: z.int().positive().optional().describe('Stop after so many optimizer steps, whatever `epochs` says'),
  globalBatch: z
    .int()
    .positive()
    .describe(
      'Rows of one optimizer step over all devices; v0.3: 128 for full fine-tunes, 64 for dSFT by QLoRA. Accumulation is derived from it and must divide',
    ),
  optimizer: z
    .enum(OPTIMIZERS)
    .default('adamw_torch')
    .describe('Optimizer as transformers names it; v0.3: adamw_torch, paged_adamw_32bit for dDPO by QLoRA'),
  weightDecay: z
    .number()
    .min(0)
    .default(0)
    .describe('Weight decay of the optimizer; the paper: none, v0.3: the default of its trainer, 0'),
  dtype: z
    .enum(['bfloat16', 'float32'])
    .default('bfloat16')
    .describe(
      'Type of the matrix products, of the published weights, and under LoRA of the frozen ones; a full fine-tune keeps float32 weights and moments, as v0.3 did under ZeRO-3. v0.3: bfloat16',
    ),
  attention: z
    .enum(ATTENTION)
    .default('auto')
    .describe(
      'Attention implementation; auto: the fastest that is there on the device of the job, told in the result. dDPO lays pairs in rows that an attention of its own reads, whatever stands here. v0.3: flash_attention_2 for dSFT and QLoRA, for full dDPO what its library took',
    ),
  gradientCheckpointing: z.boolean().default(true).describe('Recompute activations to save memory; v0.3: true'),
  saveSteps: z
    .int()
    .positive()
    .default(100)
    .describe('Optimizer steps between checkpoints; v0.3: 100. Not part of the fingerprint'),
  trl: z
    .record(z.string(), z.json())
    .default({})
    .describe('Further fields of SFTConfig or DPOConfig, passed through as they are'),
};

export const loraSpec = z
  .strictObject({
    r: z.int().positive().describe('Rank; v0.3: 16 for dSFT, 128 for dDPO'),
    alpha: z.number().positive().describe('Scale of the update is alpha / r; v0.3: 16 for dSFT, 128 for dDPO'),
    dropout: z
      .number()
      .min(0)
      .lt(1)
      .default(0.05)
      .describe('Dropout before the adapter, in dSFT alone: dDPO turns dropout off, as in v0.3; v0.3: 0.05'),
    targets: z
      .array(z.string())
      .min(1)
      .default([...ALL_LINEAR])
      .describe('Modules that get an adapter; v0.3: all seven linear projections'),
    quantization: z.enum(['nf4', 'none']).default('none').describe('Type of the frozen weights: 4-bit nf4 makes it QLoRA'),
  })
  .describe('Train a low-rank adapter instead of all weights; a merge step follows, so the stage still publishes a full model');

export type LoraSpec = z.infer<typeof loraSpec>;
export type TrainingSpec = z.infer<z.ZodObject<typeof trainingFields>>;

/** The fields of a training job's config that both programs know. */
export function trainingConfig(train: TrainingSpec, lora: LoraSpec | undefined) {
  return {
    learning_rate: train.learningRate,
    schedule: train.schedule,
    warmup: train.warmup,
    epochs: train.epochs,
    ...(train.maxSteps === undefined ? {} : { max_steps: train.maxSteps }),
    global_batch: train.globalBatch,
    optimizer: train.optimizer,
    weight_decay: train.weightDecay,
    dtype: train.dtype,
    attention: train.attention,
    gradient_checkpointing: train.gradientCheckpointing,
    lora: lora === undefined ? null : { r: lora.r, alpha: lora.alpha, dropout: lora.dropout, targets: lora.targets },
    quantization: lora === undefined || lora.quantization === 'none' ? null : lora.quantization,
    trl: train.trl,
  };
}

/** `full fine-tune, 1 epoch, global batch 128, lr 2e-5` */
export function trainingSummary(train: TrainingSpec, lora: LoraSpec | undefined): string {
  const how = lora === undefined ? 'full fine-tune' : `${lora.quantization === 'nf4' ? 'QLoRA' : 'LoRA'} r ${lora.r}`;
  const length =
    train.maxSteps === undefined
      ? `${train.epochs} ${train.epochs === 1 ? 'epoch' : 'epochs'}`
      : `at most ${train.maxSteps} steps`;
  return `${how}, ${length}, global batch ${train.globalBatch}, learning rate ${train.learningRate}`;
}
