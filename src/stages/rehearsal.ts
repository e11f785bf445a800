import { SIZES } from './rehearsal-sizes.ts';
import type { LoraSpec, TrainingSpec } from './training-spec.ts';

/** How a rehearsal asks its teachers; with `artifact` only models on this machine answer the prompts. */
export type RehearsalProvider = 'openai' | 'huggingface' | 'self-hosted' | 'batch' | 'artifact';

/** Where a rehearsal runs, as far as it decides what can be rehearsed. */
export interface RehearsalPlace {
  readonly provider: RehearsalProvider;
  /** Whether programs of this Python environment can be run there. */
  readonly canHave: (environment: string) => boolean;
}

/** Something that a stage does without, in words, since this Python environment cannot be had. */
export interface NotRehearsed {
  readonly what: string;
  readonly environment: string;
}

/** What a stage gives to a rehearsal. */
export interface Rehearsed {
  /** its section at toy size */
  readonly section: unknown;
  /** practice models that it asks: each is a teacher of the same name */
  readonly teachers?: readonly string[];
  /** what stands for the base model of the recipe, a text as `inputOf` reads it */
  readonly base?: string;
  readonly leftOut?: readonly NotRehearsed[];
}

/** The practice data, a text as `inputOf` reads it. */
export const SYNTHETIC_DATA = 'setup/world';

export const SHORT_MEMORY = 'a tiny model has a short memory';
export const NO_BENCHMARK = 'practice data holds no benchmark';

/** Why a training stage is rehearsed otherwise, by the path below its section. */
export const TRAINING_REASONS: Readonly<Record<string, string>> = {
  train: 'sized for a tiny model on a CPU',
  lora: 'sized for a tiny model; quantization needs a GPU, the adapters are real',
  'lora.targets': 'a random base knows no words yet, they need adapters as well',
};

/** Without what needs a GPU: bfloat16 is slow on a CPU, paged optimizers and flash attention do not exist there. */
export function toyTraining(train: TrainingSpec): TrainingSpec {
  const { maxSteps: _, ...kept } = train;
  const optimizer = train.optimizer.startsWith('paged_') || train.optimizer.endsWith('_fused') ? 'adamw_torch' : train.optimizer;
  return { ...kept, gradientCheckpointing: false, optimizer, dtype: 'float32', attention: 'sdpa', saveSteps: SIZES.saveSteps };
}

export function toyLora(lora: LoraSpec): LoraSpec {
  return {
    ...lora,
    r: SIZES.lora.r,
    alpha: SIZES.lora.alpha,
    targets: [...new Set([...lora.targets, ...SIZES.lora.moreTargets])],
    quantization: 'none',
  };
}
