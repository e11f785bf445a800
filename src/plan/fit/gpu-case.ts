import type { Hardware } from '../../model/hardware.ts';
import type { GpuLoad } from '../../stages/gpu-load.ts';
import { type ModelShape, parameters, projections } from './shape.ts';

/** A job on a target's GPUs: all that its memory and its time follow from. */
export interface GpuCase {
  readonly shape: ModelShape;
  readonly load: GpuLoad;
  readonly hardware: Pick<Hardware, 'nodes' | 'ranks' | 'sharding' | 'offload' | 'microBatch' | 'accumulation' | 'device'>;
}

/** How numbers are held and computed with, which the coefficients depend on. */
export type Precision = 'float32' | 'autocast' | 'sharded-bf16' | 'adapter-bf16';

export const ranksOf = ({ hardware }: GpuCase): number => hardware.nodes * hardware.ranks;

/** Whether each rank holds a share only; an adapter's base is whole on every rank. */
export function isSharded(job: GpuCase): boolean {
  return job.load.adapter === undefined && job.hardware.sharding === 'fsdp2' && ranksOf(job) > 1;
}

/** A full fine-tune that is not sharded casts its float32 weights under autocast, a sharded one by its own policy. */
export function precisionOf(job: GpuCase): Precision {
  if (job.load.dtype === 'float32') return 'float32';
  if (job.load.adapter !== undefined) return 'adapter-bf16';
  return isSharded(job) ? 'sharded-bf16' : 'autocast';
}

/** Parameters that are trained: all, or those of the adapter, r x (in + out) for each linear layer that has one. */
export function trainedParameters({ shape, load }: GpuCase): number {
  if (load.work === 'score') return 0;
  if (load.adapter === undefined) return parameters(shape);
  const { rank, targets } = load.adapter;
  const known: Record<string, { readonly from: number; readonly to: number }> = projections(shape);
  const inBlock = targets.reduce((sum, name) => sum + (known[name]?.from ?? 0) + (known[name]?.to ?? 0), 0);
  const ends = targets.filter((name) => name === 'embed_tokens' || name === 'lm_head').length;
  return rank * (shape.layers * inBlock + ends * (shape.vocabulary + shape.hidden));
}

/**
 * Tokens that go through the model of a rank at once, at the most. Of texts: rows of full length. Of pairs, which lie in one row without padding:
 * the budget of `pair_batches.token_budget` (scripts/train), or one pair of the greatest length where that is more.
 */
export function microBatchTokens({ load, hardware }: GpuCase): number {
  const { maxLength } = load;
  if (load.batchTokens !== undefined) return Math.max(load.batchTokens, 2 * maxLength);
  if (load.rows === 'texts') return hardware.microBatch * (load.textsEach ?? 1) * maxLength;
  return Math.max((hardware.microBatch * maxLength) / 2, 2 * maxLength);
}
