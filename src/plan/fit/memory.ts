import { scorerBytes, whileAnswering } from './answering.ts';
import { type GpuCase, isSharded, microBatchTokens, precisionOf, ranksOf, trainedParameters } from './gpu-case.ts';
import { type MemoryUse, plus, sumOf } from './memory-use.ts';
import { blockParameters, embeddingParameters, linearParameters, parameters, projections } from './shape.ts';

/** When a rank holds most, and how much. */
export interface PeakMemory {
  readonly moment: 'answering' | 'forward' | 'loss' | 'backward' | 'backward end' | 'embedding' | 'step';
  readonly use: MemoryUse;
  /** sum of `use` */
  readonly bytes: number;
}

/** What a GPU's process needs besides tensors: CUDA's context and NCCL, and the gaps that its allocator leaves. */
const CONTEXT_BYTES = 2 * 2 ** 30;
const FRAGMENTATION = 0.08;
/** Tokens whose logits TRL's loss by pieces holds at once, `_CHUNKED_LM_HEAD_CHUNK_SIZE`. */
const CHUNK_TOKENS = 256;
/** Logits that pairs hold at once, `pair_logps.LOGITS_AT_ONCE`. */
const PAIR_LOGITS = 2 ** 26;

/** Bytes of optimizer state for a parameter, and of what a step needs besides while it lasts. */
const OPTIMIZERS: Readonly<Record<string, { readonly state: number; readonly step: number }>> = {
  adamw_torch: { state: 8, step: 4 },
  adamw_torch_fused: { state: 8, step: 0 },
  rmsprop: { state: 4, step: 4 },
  adafactor: { state: 0.1, step: 4 },
  paged_adamw_32bit: { state: 8, step: 0 },
  paged_adamw_8bit: { state: 2, step: 0 },
};

/**
 * Bytes of one rank at its peak. The moments and most terms are those of a formula for FSDP2 that was fitted to torch's own
 * simulation; test/train/test_memory_formula.py holds it between 0.98 and 1.3 of one. H hidden, I MLP width, L layers, V
 * vocabulary, N parameters, p of one block, T tokens of a micro batch, W ranks that share.
 */
export function peakMemory(job: GpuCase): PeakMemory {
  const held = heldAlways(job);
  const moments = job.load.work === 'score' ? [{ moment: 'forward', use: inForward(job, held) } as const] : momentsOf(job, held);
  const sums = moments.map(({ moment, use }) => ({ moment, use, bytes: sumOf(use) }));
  const { moment, use, bytes } = sums.reduce((most, other) => (other.bytes > most.bytes ? other : most));
  if (job.hardware.device === 'cpu') return { moment, use, bytes };
  const overhead = CONTEXT_BYTES + FRAGMENTATION * bytes;
  return { moment, use: { ...use, overhead }, bytes: bytes + overhead };
}

function momentsOf(job: GpuCase, held: MemoryUse) {
  return [
    { moment: 'loss', use: atLoss(job, held) },
    { moment: 'backward', use: inBackward(job, held) },
    { moment: 'backward end', use: atEndOfBackward(job, held) },
    { moment: 'embedding', use: atEmbedding(job, held) },
    { moment: 'step', use: atStep(job, held) },
    ...(job.load.answers === undefined ? [] : [{ moment: 'answering', use: whileAnswering(job, held) } as const]),
  ] as const;
}

/** Bytes in the memory of each host that its ranks' shares lie in between their uses; nothing without offload. */
export function hostMemory(job: GpuCase): number {
  if (!isOffloaded(job)) return 0;
  const { state } = optimizerOf(job);
  const own = (8 + state) * trainedParameters(job) + referenceBytes(job);
  return (own * job.hardware.ranks) / ranksOf(job);
}

const isOffloaded = (job: GpuCase) => job.hardware.offload && isSharded(job);
const optimizerOf = ({ load }: GpuCase) => OPTIMIZERS[load.optimizer] ?? { state: 8, step: 4 };

/** What is there all the time: state of the trained weights (float32), frozen weights, reference, buckets of DDP. */
function heldAlways(job: GpuCase): MemoryUse {
  const trained = trainedParameters(job);
  const share = isOffloaded(job) ? 0 : isSharded(job) ? 1 / ranksOf(job) : 1;
  const isReplicated = ranksOf(job) > 1 && !isSharded(job);
  const values = valueParameters(job);
  return {
    weights: share * 4 * trained + frozenBytes(job) + share * scoringBytes(job) + 4 * values,
    // those of the micro batches before stay until the step
    gradients: (job.hardware.accumulation > 1 || job.load.rows === 'pairs' ? share * 4 * trained : 0) + 4 * values,
    optimizer: share * optimizerOf(job).state * trained + optimizerOf(job).state * values,
    reference: share * referenceBytes(job) + scorerBytes(job),
    activations: 0,
    logits: 0,
    // DistributedDataParallel copies all gradients into buckets, which it keeps
    buckets: isReplicated ? 4 * trained : 0,
    overhead: 0,
  };
}

/** Of models that are trained beside the policy; none of them is sharded. */
function valueParameters({ load, shape }: GpuCase): number {
  return (load.answers?.values ?? 0) * parameters(shape);
}

/** The weights of a model that only scores, held as a reference is. */
function scoringBytes(job: GpuCase): number {
  if (job.load.work !== 'score' || job.load.adapter !== undefined) return 0;
  return secondModelBytes(job);
}

/** The base of an adapter. nf4 holds linear layers of blocks in half a byte and a float32 scale for 64 values. */
function frozenBytes({ shape, load }: GpuCase): number {
  if (load.adapter === undefined) return 0;
  const whole = load.dtype === 'float32' ? 4 : 2;
  if (load.quantization === undefined) return whole * parameters(shape);
  const linear = shape.layers * linearParameters(shape);
  return (0.5 + 4 / 64) * linear + whole * (parameters(shape) - linear);
}

/** With an adapter the reference is the base itself. */
function referenceBytes(job: GpuCase): number {
  const { work, reference, adapter } = job.load;
  return work === 'score' || reference !== 'online' || adapter !== undefined ? 0 : secondModelBytes(job);
}

/** A model without gradients: in the dtype of the products where it is sharded, else in float32. */
function secondModelBytes(job: GpuCase): number {
  return (isSharded(job) && job.load.dtype === 'bfloat16' ? 2 : 4) * parameters(job.shape);
}

/** Bytes of what one block saves for its backward pass and of the input that is kept of it, for each token. */
function savedBytes(job: GpuCase): { readonly block: number; readonly input: number } {
  const { shape, load } = job;
  const { hidden: H, intermediate: I, heads } = shape;
  const float = load.dtype === 'float32' ? 4 : 2;
  // the log of each softmax's sum; what a mask takes that is not a kernel's own
  const attention = 4 * heads + maskBytes(job) + 8;
  const [ofMlp, ofHidden, input] = {
    float32: [16, 40, 4],
    autocast: [8, 34, 4],
    'sharded-bf16': [8, 24, 2],
    'adapter-bf16': [8, 24, 2],
  }[precisionOf(job)] as [number, number, number];
  return { block: ofMlp * I + ofHidden * H + attention + adapterBytes(job, float), input: input * H };
}

/** A mask [rows, length, length] in the dtype of the scores; eager attention keeps the scores of every head as well. */
function maskBytes({ load, shape }: GpuCase): number {
  const float = load.dtype === 'float32' ? 4 : 2;
  if (load.attention === 'eager') return load.maxLength * (float + shape.heads * (4 + 2 * float));
  return load.rows === 'texts' && !/flash/.test(load.attention) ? float * load.maxLength : 0;
}

/** An adapter keeps the input of its linear layer in float32 (after the dropout), and its own narrow output. */
function adapterBytes({ shape, load }: GpuCase, float: number): number {
  if (load.adapter === undefined) return 0;
  const known: Record<string, { readonly from: number }> = projections(shape);
  const inputs = load.adapter.targets.map((name) => known[name]?.from ?? 0);
  return 4 * inputs.reduce((sum, width) => sum + width, 0) + 4 * shape.hidden + float * load.adapter.rank * inputs.length;
}

/** Bytes kept of all blocks until their backward pass, and of the one that is computed again for it. */
function keptBytes(job: GpuCase): { readonly kept: number; readonly again: number } {
  const tokens = microBatchTokens(job);
  const { block, input } = savedBytes(job);
  const { layers } = job.shape;
  if (!job.load.gradientCheckpointing) return { kept: layers * tokens * block, again: 0 };
  return { kept: layers * tokens * input, again: tokens * block };
}

/** Gradients of activations that are alive within one block's backward pass. */
function workBytes(job: GpuCase): number {
  const { hidden: H, intermediate: I } = job.shape;
  const [ofMlp, ofHidden] = { float32: [8.5, -1.8], autocast: [4.5, -4], 'sharded-bf16': [4.5, 2.2], 'adapter-bf16': [10, 12.5] }[
    precisionOf(job)
  ] as [number, number];
  return microBatchTokens(job) * Math.max(ofMlp * I + ofHidden * H, 4 * H);
}

/** One block's weights gathered and cast for their use, and its gradients before they are reduced. */
function blockInUse(job: GpuCase): number {
  const p = blockParameters(job.shape);
  const head = embeddingParameters(job.shape);
  const bytes = job.load.dtype === 'float32' ? 4 : 2;
  if (job.load.adapter !== undefined) {
    // a 4-bit layer is unpacked for each use
    return job.load.quantization === undefined ? 0 : 2 * bytes * job.shape.hidden * job.shape.intermediate;
  }
  if (isSharded(job)) return (job.load.dtype === 'float32' ? 12.7 : 8.5) * p + bytes * head;
  const cast = job.load.dtype === 'float32' || job.load.gradientCheckpointing ? 0 : 2 * job.shape.layers * p;
  return 9.7 * p + cast;
}

/** Scoring alone: nothing is kept of a block that is done, and two blocks are gathered at once. */
function inForward(job: GpuCase, held: MemoryUse): MemoryUse {
  const { shape, load } = job;
  const { hidden: H, intermediate: I } = shape;
  const float = load.dtype === 'float32' ? 4 : 2;
  const whole = parameters(shape);
  const cast = load.adapter !== undefined || load.dtype === 'float32' ? 0 : 2 * whole;
  const gathered = 2 * float * blockParameters(shape) + float * embeddingParameters(shape);
  return plus(held, {
    activations: microBatchTokens(job) * float * (4 * I + 8 * H),
    logits: logitsBytes(job) / 2,
    buckets: isSharded(job) ? gathered : cast,
  });
}

/** The head's backward pass begins: its logits, and its gradient in the dtype of the products and in float32. */
function atLoss(job: GpuCase, held: MemoryUse): MemoryUse {
  const { shape, load } = job;
  const head = embeddingParameters(shape);
  const float = load.dtype === 'float32' ? 4 : 2;
  const isFull = load.adapter === undefined;
  // under autocast the casts of all weights stay until the forward pass is over
  const cast = precisionOf(job) === 'autocast' ? 2 * (shape.layers * linearParameters(shape) + head) : 0;
  const gathered = isSharded(job) ? 2 * float * blockParameters(shape) + (2 * float + 4) * head : 0;
  return plus(held, {
    gradients: isFull && !isSharded(job) && held.gradients === 0 ? 4 * head : 0,
    activations: keptBytes(job).kept + 5 * float * microBatchTokens(job) * shape.hidden,
    logits: logitsBytes(job),
    buckets: cast + gathered,
  });
}

/** Bytes of logits, their softmax and their gradient. */
function logitsBytes(job: GpuCase): number {
  const { load, shape } = job;
  const tokens = (microBatchTokens(job) * (load.logitTokens ?? load.maxLength)) / load.maxLength;
  if (load.rows === 'pairs') {
    // `label_logps` holds them and their gradient, and works on a GPU on all of them at once in float32
    const each = 2 * (load.dtype === 'float32' ? 4 : 2) + (job.hardware.device === 'cpu' ? 0 : 8);
    return each * Math.min(tokens * shape.vocabulary, PAIR_LOGITS);
  }
  if (load.logits === 'pieces') return 16 * Math.min(tokens, CHUNK_TOKENS) * shape.vocabulary;
  return 12 * tokens * shape.vocabulary;
}

function inBackward(job: GpuCase, held: MemoryUse): MemoryUse {
  const { kept, again } = keptBytes(job);
  const head = isSharded(job) || job.load.adapter !== undefined ? 0 : 4 * embeddingParameters(job.shape);
  return plus(held, {
    gradients: held.gradients === 0 ? head : 0,
    activations: kept + again + workBytes(job),
    buckets: blockInUse(job),
  });
}

/** The last block: of the others nothing is left but their gradients. */
function atEndOfBackward(job: GpuCase, held: MemoryUse): MemoryUse {
  const block = microBatchTokens(job) * savedBytes(job).block;
  const buckets = isSharded(job) ? blockInUse(job) : 5.7 * blockParameters(job.shape);
  return plus(held, {
    gradients: allGradients(job) - held.gradients,
    activations: block + workBytes(job),
    buckets: job.load.adapter === undefined ? buckets : blockInUse(job),
  });
}

/** The embedding's gradient is dense: whole, in float32 and once more as it is reduced. */
function atEmbedding(job: GpuCase, held: MemoryUse): MemoryUse {
  const { shape, load } = job;
  const head = embeddingParameters(shape);
  const float = load.dtype === 'float32' ? 4 : 2;
  const buckets = load.adapter !== undefined ? 0 : isSharded(job) ? 12 * head : 4 * head;
  return plus(held, {
    gradients: allGradients(job) - held.gradients,
    activations: 2 * float * microBatchTokens(job) * shape.hidden,
    buckets,
  });
}

function atStep(job: GpuCase, held: MemoryUse): MemoryUse {
  const step = isOffloaded(job) ? 0 : optimizerOf(job).step * trainedParameters(job);
  return plus(held, {
    gradients: allGradients(job) - held.gradients,
    optimizer: isSharded(job) ? step / ranksOf(job) : step,
  });
}

function allGradients(job: GpuCase): number {
  if (isOffloaded(job)) return 0;
  return (4 * trainedParameters(job)) / (isSharded(job) ? ranksOf(job) : 1) + 4 * valueParameters(job);
}
