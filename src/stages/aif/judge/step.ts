import { JUDGE_MODES } from '../../../judging/panel.ts';
import { judgeFiles } from '../../../judging/templates.ts';
import { configOf } from '../../data-spec.ts';
import { jobStep, taskStep } from '../../programs.ts';
import { callConfig, datasetRepo, inputOf, type RecipeContext } from '../../recipe-context.ts';
import type { Step, StepInput } from '../../stage.ts';
import type { AifTeachers } from '../spec.ts';
import type { RewardConfig, TeachersConfig } from './config.ts';
import { forecast } from './forecast.ts';
import type { RewardJudgeSpec, TeachersJudgeSpec } from './spec.ts';

const PROMPTS: StepInput = { from: 'step', step: 'prompts' };
const COMPLETIONS: StepInput = { from: 'step', step: 'generate' };

/** judge, or rewards -> judge where a reward model scores in a job. */
export function judgeSteps(recipe: RecipeContext, spec: AifTeachers): Step[] {
  const { judge } = spec;
  return judge.by === 'teachers' ? [teachersStep(recipe, spec, judge)] : rewardSteps(recipe, judge);
}

function teachersStep(recipe: RecipeContext, spec: AifTeachers, judge: TeachersJudgeSpec): Step {
  const config: TeachersConfig = {
    version: 3,
    by: 'teachers',
    seed: recipe.seed,
    judges: judge.teachers.map((id) => callConfig(recipe, id, judge)),
    fallback: judge.fallback === undefined ? null : callConfig(recipe, judge.fallback, judge),
    mode: judge.mode,
    aspects: judge.aspects,
    overall: judge.overall,
    permutations: judge.permutations,
    pairs_per_prompt: judge.pairsPerPrompt,
    min_mass: judge.minMass,
    calibration:
      judge.calibration === undefined
        ? null
        : {
            ...configOf(judge.calibration),
            split: judge.calibration.split,
            min_agreement: judge.calibration.minAgreement ?? null,
            min_kappa: judge.calibration.minKappa ?? null,
          },
  };
  const models = config.judges.map(({ model }) => model).join(', ');
  return taskStep('judge', {
    stage: 'aif',
    name: 'judge',
    summary: summaryOf(models, judge),
    inputs: {
      prompts: PROMPTS,
      completions: COMPLETIONS,
      ...(judge.calibration === undefined ? {} : { calibration: inputOf(judge.calibration.ref) }),
    },
    config,
    ...(judge.calibration === undefined
      ? {}
      : { reads: [{ input: 'calibration', ...configOf(judge.calibration), splits: [judge.calibration.split] }] }),
    files: judgeFiles(judge),
    calls: forecast(judge, spec),
    ...(judge.fallback === undefined ? {} : { spare: [judge.fallback] }),
    output: datasetRepo(recipe, 'ratings'),
  });
}

function summaryOf(models: string, { mode, aspects, overall }: TeachersJudgeSpec): string {
  const what = [...aspects, ...(overall ? ['overall'] : [])].join(', ');
  if (mode === 'pairwise') return `${models} compares two answers at a time by ${what}`;
  return `${models} rates ${what}${JUDGE_MODES[mode].how}`;
}

function rewardSteps(recipe: RecipeContext, { model, batchSize, maxLength }: RewardJudgeSpec): Step[] {
  const config: RewardConfig = { version: 2, by: 'reward_model', model };
  return [
    jobStep('reward', {
      stage: 'aif',
      name: 'rewards',
      summary: `rewards of ${model}`,
      inputs: { model: inputOf(model), completions: COMPLETIONS },
      config: { batch_size: batchSize, max_length: maxLength },
      output: datasetRepo(recipe, 'rewards'),
      saveSteps: 50,
    }),
    taskStep('judge', {
      stage: 'aif',
      name: 'judge',
      summary: 'rewards as ratings',
      inputs: { prompts: PROMPTS, completions: COMPLETIONS, rewards: { from: 'step', step: 'rewards' } },
      config,
      output: datasetRepo(recipe, 'ratings'),
    }),
  ];
}
