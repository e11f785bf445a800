import { type GpuCase, isSharded, precisionOf } from './gpu-case.ts';
import { type MemoryUse, plus } from './memory-use.ts';
import { blockParameters, embeddingParameters, parameters } from './shape.ts';

/** Reward models, whole on each rank in the dtype of the products. */
export function scorerBytes({ load, shape }: GpuCase): number {
  return (load.answers?.scorers ?? 0) * (load.dtype === 'bfloat16' ? 2 : 4) * parameters(shape);
}

/** All answers of a step are drawn at once: keys and values of every token, logits of the next one, and casts of the weights. */
export function whileAnswering(job: GpuCase, held: MemoryUse): MemoryUse {
  const { shape, load, hardware } = job;
  const float = load.dtype === 'float32' ? 4 : 2;
  const rows = hardware.microBatch * hardware.accumulation;
  const cast = precisionOf(job) === 'autocast' ? 2 * parameters(shape) : 0;
  const gathered = isSharded(job) ? 2 * float * blockParameters(shape) + float * embeddingParameters(shape) : 0;
  return plus(held, {
    // nothing has been passed back yet
    gradients: -held.gradients,
    activations: rows * load.maxLength * 2 * shape.layers * shape.keyHeads * shape.headWidth * float,
    logits: rows * shape.vocabulary * 12,
    buckets: cast + gathered,
  });
}
