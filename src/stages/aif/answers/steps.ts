import type * as z from 'zod';
import { parseRef } from '../../../model/artifact.ts';
import { jobStep, taskStep } from '../../programs.ts';
import { callConfig, datasetRepo, inputOf, modelRepo, type RecipeContext, renderingOf } from '../../recipe-context.ts';
import type { CallForecast, Step, StepInput } from '../../stage.ts';
import { TOKENS } from '../../token-guesses.ts';
import type { PromptsSpec } from '../prompts/spec.ts';
import { promptsAtMost, promptTokens } from '../prompts/step.ts';
import type { AssignConfig } from './assign.ts';
import { assignedFile, drawMembers, principleFile } from './assignments.ts';
import type { GenerateConfig } from './generate.ts';
import type { MemberSpec, PoolSpec, PrinciplesSpec, samplingFields } from './spec.ts';

type Sampling = { readonly [name in keyof typeof samplingFields]: z.infer<(typeof samplingFields)[name]> };

/** Who answers what, whichever source of feedback it is for. */
export interface AnswersPlan {
  readonly prompts: PromptsSpec;
  readonly pool: readonly PoolSpec[];
  readonly answersPerPrompt: number;
  readonly principles: PrinciplesSpec;
  readonly answer: Sampling;
  /** the step whose calls are made in advance */
  readonly prefetch?: string;
}

/** Number of prompts that are drawn to learn how often a member answers. */
const TRIED = 256;

/** draw -> answers-N for the members that are model artifacts -> generate */
export function answersSteps(recipe: RecipeContext, plan: AnswersPlan): Step[] {
  const config = generateConfig(recipe, plan);
  const files = principleFiles(plan.principles);
  const jobs = config.pool.flatMap((member) => ('input' in member ? [member] : []));
  const draw = jobs.length === 0 ? [] : [drawStep(recipe, config, files)];
  const answers = jobs.map(({ id }): [string, StepInput] => [id, { from: 'step', step: id }]);
  const generate = taskStep('generate', {
    stage: 'aif',
    name: 'generate',
    summary: `${plan.answersPerPrompt} answers a prompt from a pool of ${plan.pool.length}`,
    inputs: { prompts: { from: 'step', step: 'prompts' }, ...Object.fromEntries(answers) },
    config,
    files,
    output: datasetRepo(recipe, 'completions'),
    calls: forecasts(config, plan.prompts),
    ...(plan.prefetch === undefined ? {} : { prefetch: plan.prefetch }),
  });
  return [...draw, ...jobSteps(recipe, plan), generate];
}

function drawStep(recipe: RecipeContext, { seed, answers_per_prompt, principles, pool }: GenerateConfig, files: string[]): Step {
  const config: AssignConfig = {
    version: 1,
    seed,
    answers_per_prompt,
    principles,
    pool: pool.map((member) => ({ id: member.id, weight: member.weight, share: member.share, job: 'input' in member })),
  };
  return taskStep('draw', {
    stage: 'aif',
    name: 'draw',
    summary: 'who answers what in a job',
    inputs: { prompts: { from: 'step', step: 'prompts' } },
    config,
    files,
    output: datasetRepo(recipe, 'draws'),
  });
}

/** The members that answer in a job, N counted from 1 in the pool's order. */
function jobSteps(recipe: RecipeContext, { pool, answer }: AnswersPlan): Step[] {
  return pool
    .flatMap((member) => (member.model === undefined ? [] : [{ ...member, model: member.model }]))
    .map((member, index) => {
      const name = jobName(index);
      const { temperature, topP, maxTokens } = samplingOf(answer, member);
      return jobStep('generate', {
        stage: 'aif',
        name,
        summary: `answers of ${member.model}`,
        inputs: { model: inputOf(member.model), prompts: { from: 'step', step: 'draw' } },
        config: {
          ...renderingOf(recipe),
          prompts_file: assignedFile(name),
          max_new_tokens: maxTokens,
          temperature,
          top_p: topP,
          samples: 1,
          batch_size: member.batchSize,
          seed: recipe.seed,
          engine: member.engine,
        },
        output: datasetRepo(recipe, name),
        saveSteps: 50,
      });
    });
}

const jobName = (index: number) => `answers-${index + 1}`;

/** The ids of the members, as draws, rows and inputs use them: a teacher's id, else the name of the job. */
export function memberIds(pool: readonly MemberSpec[]): string[] {
  let jobs = 0;
  return pool.map(({ teacher }) => teacher ?? jobName(jobs++));
}

function generateConfig(recipe: RecipeContext, { pool, answersPerPrompt, principles, answer }: AnswersPlan): GenerateConfig {
  const ids = memberIds(pool);
  return {
    version: 3,
    seed: recipe.seed,
    answers_per_prompt: answersPerPrompt,
    principles: principleTable(principles),
    pool: pool.map((member, index) => {
      const id = ids[index] as string;
      const { teacher, model = '', weight, share = null } = member;
      const sampling = samplingOf(answer, member);
      if (teacher !== undefined) return { id, weight, share, call: callConfig(recipe, teacher, sampling) };
      const { temperature, topP: top_p, maxTokens: max_tokens } = sampling;
      return { id, weight, share, input: id, model: modelName(recipe, model), temperature, top_p, max_tokens };
    }),
  };
}

function samplingOf(common: Sampling, { sampling = {} }: Pick<PoolSpec, 'sampling'>): Sampling {
  return {
    temperature: sampling.temperature ?? common.temperature,
    topP: sampling.topP ?? common.topP,
    maxTokens: sampling.maxTokens ?? common.maxTokens,
  };
}

/** What the rows call a model artifact: the repo that it lies in. */
function modelName(recipe: RecipeContext, model: string): string {
  return model === 'dsft' ? modelRepo(recipe, 'dsft').name : (parseRef(model)?.name ?? model);
}

/** Weights by source, whichever of its two forms the recipe uses; without a principle there is no entry. */
function principleTable(principles: PrinciplesSpec): GenerateConfig['principles'] {
  if (!Array.isArray(principles)) return principles as GenerateConfig['principles'];
  return principles.length === 0 ? {} : { default: Object.fromEntries(principles.map((name) => [name, 1])) };
}

function principleFiles(principles: PrinciplesSpec): string[] {
  const names = Object.values(principleTable(principles)).flatMap((weights) => Object.keys(weights));
  return [...new Set(names)].sort().map(principleFile);
}

function forecasts(config: GenerateConfig, prompts: PromptsSpec): CallForecast[] {
  const perPrompt = answersPerPrompt(config);
  const items = promptsAtMost(prompts) ?? { count: 'prompts' };
  const inputTokens = promptTokens(prompts) + (Object.keys(config.principles).length > 0 ? TOKENS.principle : 0);
  return config.pool.flatMap((member) =>
    'call' in member
      ? [
          {
            teacher: member.call.teacher,
            purpose: 'answers',
            items,
            callsPerItem: perPrompt.get(member.id) ?? 0,
            inputTokens,
            outputTokens: TOKENS.answer,
            maxTokens: member.call.max_tokens,
          },
        ]
      : [],
  );
}

/** How often each member answers a prompt, in the mean: by its share, or counted over a few draws where weights differ. */
function answersPerPrompt({ pool, seed, answers_per_prompt: count }: GenerateConfig): Map<string, number> {
  const others = pool.filter(({ share }) => share === null);
  if (new Set(others.map(({ weight }) => weight)).size <= 1) {
    const left = pool.reduce((sum, { share }) => sum - (share ?? 0), count);
    return new Map(pool.map(({ id, share }) => [id, share ?? left / others.length]));
  }
  const answers = new Map<string, number>();
  for (let tried = 0; tried < TRIED; tried += 1)
    for (const { id } of drawMembers(pool, count, seed, `forecast ${tried}`)) answers.set(id, (answers.get(id) ?? 0) + 1 / TRIED);
  return answers;
}
