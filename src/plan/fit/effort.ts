import { type GpuCase, ranksOf, trainedParameters } from './gpu-case.ts';
import { parameters } from './shape.ts';

/** What a job has to do. */
export interface Amount {
  /** rows and tokens of one epoch; of pairs each prompt once and both answers */
  readonly rows: number;
  readonly tokens: number;
}

/** One GPU, as far as a target tells. */
export interface Gpu {
  readonly tflops?: number | undefined;
  readonly dollarsPerHour?: number | undefined;
}

/** How long a job takes; undefined where the target does not say how fast its GPUs are, or what they cost. */
export interface Effort {
  /** over all epochs */
  readonly tokens: number;
  readonly flops: number;
  readonly gpuHours: number | undefined;
  readonly seconds: number | undefined;
  readonly dollars: number | undefined;
}

/**
 * Share of a GPU's dense bf16 peak that is assumed: what torchtitan publishes for Llama 3.1 8B under FSDP2 on 8 H100 without
 * compilation (docs/performance of pytorch/torchtitan). No figure of zephyr's own on a GPU stands behind it.
 */
export const UTILISATION = 0.33;

/**
 * Floating-point operations for one token: 2 for each parameter forward, 4 backward, and 2 L H s for attention forward, half of
 * the full square since it is causal (Chowdhery et al. 2022, PaLM, appendix B). s: `context` tokens. Of a frozen base no
 * weights' gradients are computed. What checkpointing computes again is not counted.
 */
export function flopsPerToken(job: GpuCase, context: number): number {
  const { shape, load } = job;
  const whole = parameters(shape);
  const attention = 2 * shape.layers * shape.heads * shape.headWidth * context;
  if (load.work === 'score') return 2 * whole + attention;
  const reference = load.reference === 'online' ? 2 * whole + attention : 0;
  const weights = load.adapter === undefined ? 6 * whole : 4 * whole + 6 * trainedParameters(job);
  const answering = (load.answers?.passes ?? 0) * (2 * whole + attention);
  return weights + 3 * attention + reference + answering;
}

export function effortOf(job: GpuCase, globalBatch: number | undefined, { rows, tokens }: Amount, gpu: Gpu): Effort {
  const { epochs, maxSteps, maxLength } = job.load;
  // a number of steps counts whatever the epochs are, in both directions
  const passes = maxSteps === undefined || globalBatch === undefined ? epochs : (maxSteps * globalBatch) / rows;
  const trained = passes * tokens;
  const flops = trained * flopsPerToken(job, maxLength);
  if (gpu.tflops === undefined) return { tokens: trained, flops, gpuHours: undefined, seconds: undefined, dollars: undefined };
  const gpuSeconds = flops / (gpu.tflops * 1e12 * UTILISATION);
  const gpuHours = gpuSeconds / 3600;
  const dollars = gpu.dollarsPerHour === undefined ? undefined : gpuHours * gpu.dollarsPerHour;
  return { tokens: trained, flops, gpuHours, seconds: gpuSeconds / ranksOf(job), dollars };
}
