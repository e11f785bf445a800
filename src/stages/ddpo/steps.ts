import { decontaminated, droppedOf, sourceConfig, sourceReading } from '../data-spec.ts';
import { jobStep } from '../programs.ts';
import { datasetRepo, modelRepo, type RecipeContext, renderingOf } from '../recipe-context.ts';
import type { Step } from '../stage.ts';
import { trainingConfig, trainingSummary } from '../training-spec.ts';
import type { DdpoSpec } from './spec.ts';

/** prepare -> train -> merge (only with LoRA). `test`: the held-out split that stage aif publishes, null for none. */
export function ddpoSteps(recipe: RecipeContext, spec: DdpoSpec, test: string | null): Step[] {
  const { prepare, train, lora } = spec;
  const source = sourceConfig({ train: 'train_prefs', test, fraction: 1 }, 0);
  const listed = decontaminated(prepare);
  const prepared = jobStep('prepare', {
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
    },
    reads: [sourceReading(source), ...listed.reads],
    output: datasetRepo(recipe, 'dpo-data'),
  });
  const trained = jobStep('ddpo', {
    stage: 'ddpo',
    name: 'train',
    summary: `${trainingSummary(train, lora)}, beta ${train.beta}`,
    inputs: { model: { from: 'stage', stage: 'dsft' }, data: { from: 'step', step: 'prepare' } },
    config: {
      template: recipe.template,
      bos: recipe.bos,
      max_length: prepare.maxLength,
      seed: recipe.seed,
      beta: train.beta,
      loss_type: train.lossType,
      ...trainingConfig(train, lora),
    },
    output: modelRepo(recipe, lora === undefined ? 'ddpo' : 'ddpo-adapter'),
    training: { globalBatch: train.globalBatch, microBatch: 'ddpo' },
    saveSteps: train.saveSteps,
  });
  if (lora === undefined) return [prepared, trained];
  const merged = jobStep('merge', {
    stage: 'ddpo',
    name: 'merge',
    summary: 'adapter into the dSFT model, full weights',
    inputs: { base: { from: 'stage', stage: 'dsft' }, adapter: { from: 'step', step: 'train' } },
    config: { dtype: train.dtype },
    output: modelRepo(recipe, 'ddpo'),
  });
  return [prepared, trained, merged];
}
