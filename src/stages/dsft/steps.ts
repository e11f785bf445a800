import { type DatasetSpec, decontaminated, droppedOf, sourceConfig, sourceReading } from '../data-spec.ts';
import { type GpuLoad, textGuess, trainingLoad } from '../gpu-load.ts';
import { jobStep } from '../programs.ts';
import { datasetRepo, inputOf, modelRepo, type RecipeContext, renderingOf } from '../recipe-context.ts';
import type { Step, StepInput } from '../stage.ts';
import { TOKENS } from '../token-guesses.ts';
import { trainingConfig, trainingSummary } from '../training-spec.ts';
import { forecast } from './dialogues/forecast.ts';
import type { DsftTeacher } from './dialogues/spec.ts';
import { constructStep } from './dialogues/step.ts';
import type { DsftSpec } from './spec.ts';

/** construct (only with teachers) -> prepare -> train -> merge (only with LoRA) */
export function dsftSteps(recipe: RecipeContext, spec: DsftSpec): Step[] {
  const steps: Step[] = [];
  const { data } = spec;
  if (data.source === 'teacher') steps.push(constructStep(recipe, data));
  steps.push(prepareStep(recipe, spec), trainStep(recipe, spec));
  if (spec.lora !== undefined) steps.push(mergeStep(recipe, spec));
  return steps;
}

/** The splits that the task `construct` writes. */
function madeDialogues(data: DsftTeacher): Omit<DatasetSpec, 'ref'> {
  return { train: 'train_sft', test: data.testDialogues > 0 ? 'test_sft' : null, fraction: 1 };
}

function prepareStep(recipe: RecipeContext, spec: DsftSpec): Step {
  const { prepare, data } = spec;
  const sources =
    data.source === 'datasets'
      ? data.datasets.map((dataset) => ({ dataset, input: inputOf(dataset.ref) }))
      : [{ dataset: madeDialogues(data), input: { from: 'step', step: 'construct' } as const }];
  const listed = decontaminated(prepare);
  const inputs: Record<string, StepInput> = {
    tokenizer: inputOf(recipe.base),
    ...Object.fromEntries(sources.map(({ input }, index) => [`data${index}`, input])),
    ...listed.inputs,
  };
  const configs = sources.map(({ dataset }, index) => sourceConfig(dataset, index));
  return jobStep('prepare', {
    stage: 'dsft',
    name: 'prepare',
    summary: `tokenise ${prepare.packing ? 'and pack ' : ''}to ${prepare.maxLength} tokens`,
    inputs,
    config: {
      kind: 'sft',
      ...renderingOf(recipe),
      max_length: prepare.maxLength,
      packing: prepare.packing,
      loss_tokens: prepare.lossTokens,
      seed: recipe.seed,
      filters: { truecase: prepare.truecase, drop_refusals: prepare.dropRefusals },
      sources: configs,
      test_rows: prepare.testRows,
      ...droppedOf(prepare),
    },
    reads: [...configs.map(sourceReading), ...listed.reads],
    output: datasetRepo(recipe, 'sft-data'),
  });
}

function trainStep(recipe: RecipeContext, spec: DsftSpec): Step {
  const { prepare, train, lora } = spec;
  return jobStep('dsft', {
    stage: 'dsft',
    name: 'train',
    summary: trainingSummary(train, lora),
    inputs: { base: inputOf(recipe.base), data: { from: 'step', step: 'prepare' } },
    config: {
      template: recipe.template,
      bos: recipe.bos,
      max_length: prepare.maxLength,
      packing: prepare.packing,
      loss_tokens: prepare.lossTokens,
      seed: recipe.seed,
      ...trainingConfig(train, lora),
    },
    output: modelRepo(recipe, lora === undefined ? 'dsft' : 'dsft-adapter'),
    training: { globalBatch: train.globalBatch, microBatch: 'dsft' },
    load: loadOf(spec),
    saveSteps: train.saveSteps,
  });
}

function loadOf({ data, prepare, train, lora }: DsftSpec): GpuLoad {
  const { maxLength, packing } = prepare;
  const headIsAdapted = lora?.targets.includes('lm_head') === true;
  const { loss_type: loss = headIsAdapted ? 'nll' : 'chunked_nll' } = train.trl;
  const guessed = documentsOf(data);
  return {
    ...trainingLoad(train, lora),
    model: 'base',
    data: 'data',
    rows: 'texts',
    maxLength,
    logits: loss === 'chunked_nll' ? 'pieces' : 'whole',
    reference: 'none',
    guess: guessed === undefined ? undefined : textGuess(guessed, { maxLength, packing }),
  };
}

/** How many dialogues there are and how long one is, where the recipe says how many rows its datasets have. */
function documentsOf(data: DsftSpec['data']) {
  if (data.source === 'teacher') {
    const { dialogues, testDialogues } = data;
    const turns = forecast(data).filter(({ purpose }) => /^dialogue /.test(purpose));
    const tokens = turns.reduce(
      (sum, { items, callsPerItem, outputTokens }) => sum + (typeof items === 'number' ? items * callsPerItem * outputTokens : 0),
      TOKENS.userTurn * (dialogues + testDialogues),
    );
    return {
      documents: dialogues,
      tokensEach: tokens / (dialogues + testDialogues),
      why: `${Math.round(tokens / (dialogues + testDialogues))} tokens a dialogue, as its turns are planned`,
    };
  }
  const counts = data.datasets.map(({ rows, train, fraction }) => (rows?.[train] ?? Number.NaN) * fraction);
  const documents = counts.reduce((sum, count) => sum + count, 0);
  if (Number.isNaN(documents)) return undefined;
  return { documents, tokensEach: TOKENS.dialogue, why: `${TOKENS.dialogue} tokens a dialogue, as in ultrachat_200k` };
}

function mergeStep(recipe: RecipeContext, { train }: DsftSpec): Step {
  return jobStep('merge', {
    stage: 'dsft',
    name: 'merge',
    summary: 'adapter into the base model, full weights',
    inputs: { base: inputOf(recipe.base), adapter: { from: 'step', step: 'train' } },
    config: { dtype: train.dtype },
    output: modelRepo(recipe, 'dsft'),
  });
}
