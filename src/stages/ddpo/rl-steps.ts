import { type GpuLoad, trainingLoad } from '../gpu-load.ts';
import { jobStep } from '../programs.ts';
import { modelRepo, type RecipeContext } from '../recipe-context.ts';
import type { Step, StepInput } from '../stage.ts';
import { TOKENS } from '../token-guesses.ts';
import { type TrainingSpec, trainingConfig, trainingSummary } from '../training-spec.ts';
import { type RewardSpec, type RlSpec, rewardSpec, rlSpec } from './rl-spec.ts';
import type { DdpoSpec } from './spec.ts';

/** The section of a recipe whose method is none that learns from the pairs directly. */
export type RlDdpo = DdpoSpec & { readonly method: Exclude<DdpoSpec['method'], 'dpo'> };

/** reward -> train; `pairs`: those that are trained on, where the recipe tells. */
export function rlSteps(recipe: RecipeContext, spec: RlDdpo, pairs: number | undefined): Step[] {
  return [rewardStep(recipe, spec, pairs), policyStep(recipe, spec, pairs)];
}

const prepared: StepInput = { from: 'step', step: 'prepare' };
const dsft: StepInput = { from: 'stage', stage: 'dsft' };

/** What a section says itself, and of all else what dDPO would have. */
function settings(train: DdpoSpec['train'], { learningRate, epochs, maxSteps, globalBatch }: RewardSpec): TrainingSpec {
  const { beta: _, lossType: __, reference: ___, maxSteps: ____, ...common } = train;
  return { ...common, trl: {}, learningRate, epochs, globalBatch, ...(maxSteps === undefined ? {} : { maxSteps }) };
}

function rewardStep(recipe: RecipeContext, spec: RlDdpo, pairs: number | undefined): Step {
  const { prepare, lora, reward = rewardSpec.parse({}) } = spec;
  const train = settings(spec.train, reward);
  const tokens = 2 * (TOKENS.instruction + TOKENS.answer);
  return jobStep('reward_model', {
    stage: 'ddpo',
    name: 'reward',
    summary: `reward model, ${trainingSummary(train, lora)}`,
    inputs: { model: dsft, data: prepared },
    config: {
      template: recipe.template,
      bos: recipe.bos,
      max_length: prepare.maxLength,
      seed: recipe.seed,
      ...trainingConfig(train, lora),
    },
    output: modelRepo(recipe, 'reward'),
    training: { globalBatch: train.globalBatch, microBatch: 'reward' },
    load: {
      ...loadOf(spec, train),
      textsEach: 2,
      logitTokens: 0,
      reference: 'none',
      guess: pairs === undefined ? undefined : { rows: pairs, tokens: pairs * tokens, why: `${tokens} tokens a pair` },
    },
    saveSteps: train.saveSteps,
  });
}

function policyStep(recipe: RecipeContext, spec: RlDdpo, pairs: number | undefined): Step {
  const { method, prepare, lora, rl = rlSpec.parse({}) } = spec;
  const train = settings(spec.train, rl);
  const { beta, maxNewTokens, temperature } = rl;
  const common = {
    template: recipe.template,
    bos: recipe.bos,
    max_length: prepare.maxLength,
    seed: recipe.seed,
    beta,
    max_new_tokens: maxNewTokens,
    temperature,
    ...trainingConfig(train, lora),
  };
  const step = {
    stage: 'ddpo',
    name: 'train',
    summary: `${METHOD_IN_WORDS[method]}, ${trainingSummary(train, lora)}, beta ${beta}`,
    inputs: { model: dsft, reward: { from: 'step', step: 'reward' }, data: prepared },
    output: modelRepo(recipe, lora === undefined ? method : `${method}-adapter`),
    training: { globalBatch: train.globalBatch, microBatch: 'rl', ...(method === 'ppo' ? ({ processes: 'one' } as const) : {}) },
    load: policyLoad(spec, train, rl, pairs),
    saveSteps: train.saveSteps,
  } as const;
  if (method === 'ppo') return jobStep('ppo', { ...step, config: common });
  return jobStep('rloo', { ...step, config: { ...common, generations: rl.generations } });
}

const METHOD_IN_WORDS = { rloo: 'RLOO', ppo: 'PPO of TRL 1.12.0, frozen' } as const;

function policyLoad({ method, prepare, lora }: RlDdpo, train: TrainingSpec, rl: RlSpec, pairs: number | undefined): GpuLoad {
  // the program says how many rows there were; those of `prepare` are pairs, none of which is read
  const each = TOKENS.instruction + Math.min(TOKENS.answer, rl.maxNewTokens);
  const answers = pairs === undefined ? undefined : pairs * (method === 'rloo' ? rl.generations : 1);
  return {
    ...loadOf({ prepare, lora }, train),
    data: 'answers',
    logitTokens: rl.maxNewTokens,
    reference: rl.beta === 0 ? 'none' : 'online',
    // PPO trains the values of answers with the policy, by a model as large
    answers: { scorers: 1, values: method === 'ppo' ? 1 : 0, passes: 3 },
    guess:
      answers === undefined
        ? undefined
        : {
            rows: answers,
            tokens: answers * each,
            why: `${each} tokens an answer with its prompt; drawing them is slower than reckoned`,
          },
  };
}

/** The part of a load that both trainings have. */
function loadOf({ prepare, lora }: Pick<RlDdpo, 'prepare' | 'lora'>, train: TrainingSpec) {
  return {
    ...trainingLoad(train, lora),
    model: 'model',
    data: 'data',
    rows: 'texts',
    maxLength: prepare.maxLength,
    logits: 'whole',
  } as const;
}
