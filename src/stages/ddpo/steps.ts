import { decontaminated, droppedOf, sourceConfig, sourceReading } from '../data-spec.ts';
import { type GpuLoad, trainingLoad } from '../gpu-load.ts';
import { jobStep } from '../programs.ts';
import { datasetRepo, modelRepo, type RecipeContext, renderingOf } from '../recipe-context.ts';
import type { Step } from '../stage.ts';
import { TOKENS } from '../token-guesses.ts';
import { trainingConfig, trainingSummary } from '../training-spec.ts';
import { rlSteps } from './rl-steps.ts';
import type { DdpoSpec } from './spec.ts';

/** Of `maxLength` tokens each; a pair has two answers, so the longest one fills a fourth of such a batch at most. */
const REFERENCE_ROWS = 8;

/** Rows of pairs are read by an attention of their own, whatever the recipe names: none of its values gives other bytes. */
const PAIRS = 'auto';

/** What stage aif publishes, as far as the recipe tells. */
export interface KnownPairs {
  /** its held-out split, null for none */
  readonly test: string | null;
  /** pairs for training; undefined: known once they are made */
  readonly count: number | undefined;
}

/**
 * prepare -> reference (only where it is cached) -> train -> merge (only with LoRA). By reinforcement learning:
 * prepare -> reward -> train -> merge (only with LoRA)
 */
export function ddpoSteps(recipe: RecipeContext, spec: DdpoSpec, { test, count }: KnownPairs): Step[] {
  // a run that began before there was a choice has no such field
  const { method = 'dpo' } = spec as Partial<DdpoSpec>;
  if (method !== 'dpo') {
    const trained = rlSteps(recipe, { ...spec, method }, pairsTaken(spec, count));
    return [prepareStep(recipe, spec, test), ...trained, ...(spec.lora === undefined ? [] : [mergeStep(recipe, spec, method)])];
  }
  // a run that began before there was a choice has no such field: its reference was a second model
  const isCached = spec.train.reference === 'cached';
  return [
    prepareStep(recipe, spec, test),
    ...(isCached ? [referenceStep(recipe, spec, count)] : []),
    trainStep(recipe, spec, count),
    ...(spec.lora === undefined ? [] : [mergeStep(recipe, spec, 'ddpo')]),
  ];
}

function prepareStep(recipe: RecipeContext, { prepare }: DdpoSpec, test: string | null): Step {
  // a run that began before there was a share of the pairs has no such field
  const { fraction = 1, testRows = null } = prepare as Partial<DdpoSpec['prepare']>;
  const source = sourceConfig({ train: 'train_prefs', test, fraction }, 0);
  const listed = decontaminated(prepare);
  return jobStep('prepare', {
    stage: 'ddpo',
    name: 'prepare',
    summary: `tokenise pairs to ${prepare.maxLength} tokens, prompts to ${prepare.maxPromptLength}`,
    inputs: { tokenizer: { from: 'stage', stage: 'dsft' }, data0: { from: 'stage', stage: 'aif' }, ...listed.inputs },
    config: {
      kind: 'prefs',
      ...renderingOf(recipe),
      max_length: prepare.maxLength,
      max_prompt_length: prepare.maxPromptLength,
      seed: recipe.seed,
      ...droppedOf(prepare),
      sources: [source],
      ...(testRows === null ? {} : { test_rows: testRows }),
    },
    reads: [sourceReading(source), ...listed.reads],
    output: datasetRepo(recipe, 'dpo-data'),
  });
}

/**
 * What the dSFT model says of each pair, known by model, pairs and arithmetic alone: of all that a sweep changes nothing may
 * stand in its config. It runs on every rank of the target, sharded as the training is, and holds weights and no gradient.
 */
function referenceStep(recipe: RecipeContext, spec: DdpoSpec, pairs: number | undefined): Step {
  const { prepare, train, lora } = spec;
  const { dtype, quantization } = trainingConfig(train, lora);
  return jobStep('reference', {
    stage: 'ddpo',
    name: 'reference',
    summary: 'log-probabilities of the dSFT model for all pairs, once',
    inputs: { model: { from: 'stage', stage: 'dsft' }, data: { from: 'step', step: 'prepare' } },
    config: {
      dtype,
      attention: PAIRS,
      adapter: lora !== undefined,
      quantization,
      batch_tokens: REFERENCE_ROWS * prepare.maxLength,
    },
    output: datasetRepo(recipe, 'dpo-reference'),
    ranks: 'all',
    load: {
      ...loadOf(spec, pairs),
      work: 'score',
      batchTokens: REFERENCE_ROWS * prepare.maxLength,
      epochs: 1,
      maxSteps: undefined,
    },
  });
}

function trainStep(recipe: RecipeContext, spec: DdpoSpec, pairs: number | undefined): Step {
  const { prepare, train, lora } = spec;
  return jobStep('ddpo', {
    stage: 'ddpo',
    name: 'train',
    summary: `${trainingSummary(train, lora)}, beta ${train.beta}`,
    inputs: {
      model: { from: 'stage', stage: 'dsft' },
      data: { from: 'step', step: 'prepare' },
      ...(train.reference === 'cached' ? { reference: { from: 'step', step: 'reference' } as const } : {}),
    },
    config: {
      template: recipe.template,
      bos: recipe.bos,
      max_length: prepare.maxLength,
      seed: recipe.seed,
      beta: train.beta,
      loss_type: train.lossType,
      ...trainingConfig(train, lora),
      attention: PAIRS,
    },
    output: modelRepo(recipe, lora === undefined ? 'ddpo' : 'ddpo-adapter'),
    training: { globalBatch: train.globalBatch, microBatch: 'ddpo' },
    load: loadOf(spec, pairs),
    saveSteps: train.saveSteps,
  });
}

function pairsTaken({ prepare }: DdpoSpec, count: number | undefined): number | undefined {
  const { fraction = 1 } = prepare as Partial<DdpoSpec['prepare']>;
  return count === undefined ? undefined : Math.round(count * fraction);
}

function loadOf(spec: DdpoSpec, count: number | undefined): GpuLoad {
  const { prepare, train, lora } = spec;
  const pairs = pairsTaken(spec, count);
  const tokens = TOKENS.instruction + 2 * TOKENS.answer;
  return {
    ...trainingLoad(train, lora),
    attention: PAIRS,
    model: 'model',
    data: 'data',
    rows: 'pairs',
    maxLength: prepare.maxLength,
    logits: 'pieces',
    reference: train.reference === 'cached' ? 'cached' : 'online',
    guess: pairs === undefined ? undefined : { rows: pairs, tokens: pairs * tokens, why: `${tokens} tokens a pair` },
  };
}

/** `name`: what the model is called, and its repo. */
function mergeStep(recipe: RecipeContext, { train }: DdpoSpec, name: string): Step {
  return jobStep('merge', {
    stage: 'ddpo',
    name: 'merge',
    summary: 'adapter into the dSFT model, full weights',
    inputs: { base: { from: 'stage', stage: 'dsft' }, adapter: { from: 'step', step: 'train' } },
    config: { dtype: train.dtype },
    output: modelRepo(recipe, name),
  });
}
