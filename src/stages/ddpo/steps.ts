import { decontaminated, droppedOf, sourceConfig, sourceReading } from '../data-spec.ts';
import { jobStep } from '../programs.ts';
import { datasetRepo, modelRepo, type RecipeContext, renderingOf } from '../recipe-context.ts';
import type { Step } from '../stage.ts';
import { trainingConfig, trainingSummary } from '../training-spec.ts';
import type { DdpoSpec } from './spec.ts';

/** Of `maxLength` tokens each; a pair has two answers, so the longest one fills a fourth of such a batch at most. */
const REFERENCE_ROWS = 8;

/** Rows of pairs are read by an attention of their own, whatever the recipe names: none of its values gives other bytes. */
const PAIRS = 'auto';

/**
 * prepare -> reference (only where it is cached) -> train -> merge (only with LoRA). `test`: the held-out split that stage
 * aif publishes, null for none.
 */
export function ddpoSteps(recipe: RecipeContext, spec: DdpoSpec, test: string | null): Step[] {
  // a run that began before there was a choice has no such field: its reference was a second model
  const isCached = spec.train.reference === 'cached';
  return [
    prepareStep(recipe, spec, test),
    ...(isCached ? [referenceStep(recipe, spec)] : []),
    trainStep(recipe, spec, isCached),
    ...(spec.lora === undefined ? [] : [mergeStep(recipe, spec)]),
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
function referenceStep(recipe: RecipeContext, { prepare, train, lora }: DdpoSpec): Step {
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
  });
}

function trainStep(recipe: RecipeContext, { prepare, train, lora }: DdpoSpec, isCached: boolean): Step {
  return jobStep('ddpo', {
    stage: 'ddpo',
    name: 'train',
    summary: `${trainingSummary(train, lora)}, beta ${train.beta}`,
    inputs: {
      model: { from: 'stage', stage: 'dsft' },
      data: { from: 'step', step: 'prepare' },
      ...(isCached ? { reference: { from: 'step', step: 'reference' } as const } : {}),
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
    saveSteps: train.saveSteps,
  });
}

function mergeStep(recipe: RecipeContext, { train }: DdpoSpec): Step {
  return jobStep('merge', {
    stage: 'ddpo',
    name: 'merge',
    summary: 'adapter into the dSFT model, full weights',
    inputs: { base: { from: 'stage', stage: 'dsft' }, adapter: { from: 'step', step: 'train' } },
    config: { dtype: train.dtype },
    output: modelRepo(recipe, 'ddpo'),
  });
}
