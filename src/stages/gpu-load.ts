import type { LoraSpec, TrainingSpec } from './training-spec.ts';

/** What memory and time of a job on GPUs follow from, but for the shape of its model and its target. */
export interface GpuLoad {
  /** whether weights are trained, or tokens are only scored */
  readonly work: 'train' | 'score';
  /** names of the inputs that hold the model, and the rows as `prepare` wrote them */
  readonly model: string;
  readonly data: string;
  /** what a row is: tokens of texts, or two answers to one prompt */
  readonly rows: 'texts' | 'pairs';
  /** tokens of a text, or of a prompt and one of its answers, at most */
  readonly maxLength: number;
  /** texts of `maxLength` that a row is, where that is not one */
  readonly textsEach?: number;
  /** tokens of a text whose logits are made, where that is not all of them */
  readonly logitTokens?: number;
  /** of a model that learns from its own answers */
  readonly answers?: OwnAnswers;
  /** tokens that go through the model at once, where that does not follow from the micro batch */
  readonly batchTokens?: number;
  readonly dtype: 'bfloat16' | 'float32';
  readonly attention: string;
  readonly optimizer: string;
  readonly gradientCheckpointing: boolean;
  /** whether logits are made by pieces, or of all tokens at once */
  readonly logits: 'pieces' | 'whole';
  /** whether a second model is held beside the trained one (online), was asked before (cached), or there is none */
  readonly reference: 'online' | 'cached' | 'none';
  /** trained in place of the model, which is then frozen; with `quantization` in 4 bits */
  readonly adapter: { readonly rank: number; readonly targets: readonly string[] } | undefined;
  readonly quantization: 'nf4' | undefined;
  readonly epochs: number;
  readonly maxSteps: number | undefined;
  /** what one epoch has while nothing is prepared, as far as the recipe tells */
  readonly guess: RowGuess | undefined;
}

/** A policy draws answers to all rows of a step at once, and a reward model, whole on each rank, scores them. */
export interface OwnAnswers {
  /** models as large as the policy that are held beside it and its reference, without gradients */
  readonly scorers: number;
  /** models as large that are trained beside the policy, all their weights in float32 */
  readonly values: number;
  /** passes over each token without gradients: drawing it, its log-probability before the step, its rewards */
  readonly passes: number;
}

/** How much there is to train on. */
export interface RowGuess {
  readonly rows: number;
  readonly tokens: number;
  /** where the figures come from, in a few words */
  readonly why: string;
}

/** The part of a load that both trainings read from the recipe alike. */
export function trainingLoad(train: TrainingSpec, lora: LoraSpec | undefined) {
  const { dtype, attention, optimizer, gradientCheckpointing, epochs, maxSteps } = train;
  return {
    work: 'train',
    dtype,
    attention,
    optimizer,
    gradientCheckpointing,
    adapter: lora === undefined ? undefined : { rank: lora.r, targets: lora.targets },
    quantization: lora?.quantization === 'nf4' ? 'nf4' : undefined,
    epochs,
    maxSteps,
  } as const;
}

/** Documents of so many tokens in rows: laid end to end, or each cut to its row. */
export function textGuess(
  { documents, tokensEach, why }: { readonly documents: number; readonly tokensEach: number; readonly why: string },
  { maxLength, packing }: { readonly maxLength: number; readonly packing: boolean },
): RowGuess {
  const tokens = documents * (packing ? tokensEach : Math.min(tokensEach, maxLength));
  return { rows: packing ? Math.ceil(tokens / maxLength) : documents, tokens, why };
}
