import * as z from 'zod';
import { taskStep } from '../../programs.ts';
import { inputOf, type RecipeContext } from '../../recipe-context.ts';
import type { CallForecast, Step, StepInput } from '../../stage.ts';
import { answersStep } from '../answers.ts';
import { judgeConfigs } from '../judges.ts';
import type { EvalPart, PartContext } from '../part.ts';
import { type DataConfig, type GradeConfig, type RejudgeConfig, SOURCE } from './config.ts';

const settings = z.strictObject({
  references: z
    .enum(['original', 'corrected'])
    .describe(
      "Reference answers for math, reasoning and coding: GPT-4's of 2023, of which 13 are known to be wrong, as every published score of the time had them; or those by which others replaced them",
    ),
  source: z
    .string()
    .min(1)
    .describe(
      'Where questions, judge prompts and references come from: an address with the layout of llm_judge/data in FastChat, a dataset hf://datasets/ORG/NAME, or a folder. Whatever it is, the files must be the known ones, by their sha256',
    ),
  maxTokens: z.int().positive().describe('Tokens of one answer at most; FastChat: 1,024'),
  rejudge: z
    .array(
      z.strictObject({
        model: z.string().min(1).describe('Its name in tables'),
        answers: z.string().min(1).describe('Address or path of its answers, a file of model_answer as FastChat writes them'),
      }),
    )
    .describe(
      'Models whose public answers the same judge grades in the same run: what may be compared, as published grades of another judge may not',
    ),
});
type MtBenchSettings = z.infer<typeof settings>;

const TURNS = 160;
const SAMPLING = { temperature: 0, topP: 1, maxTokens: 2048 };

/** mt-bench-data -> mt-bench-answers -> mt-bench-judge; mt-bench-rejudged where others are judged beside it */
export const mtBench = {
  name: 'mt-bench',
  settings,
  defaults: { references: 'original', source: SOURCE, maxTokens: 1024, rejudge: [] },
  isJudged: true,
  steps(context, { references, source, maxTokens, rejudge }) {
    const { recipe, repo } = context;
    const isOnHub = source.startsWith('hf://');
    const inputs: Record<string, StepInput> = isOnHub ? { source: inputOf(source) } : {};
    const others = rejudge.length === 0 ? [] : [rejudgedStep(context, { version: 1, rejudge })];
    const data: DataConfig = { version: 1, source: isOnHub ? '' : source, references };
    return [
      taskStep('mt-bench-data', {
        stage: 'eval',
        name: 'mt-bench-data',
        summary: `80 questions, ${references} references`,
        inputs,
        config: data,
        output: repo('mt-bench-data'),
      }),
      ...others,
      answersStep(context, {
        name: 'mt-bench-answers',
        summary: `both turns, ${maxTokens} tokens at most`,
        prompts: ofStep('mt-bench-data'),
        maxTokens,
        temperature: 0,
        tooLong: 'mark',
      }),
      taskStep('mt-bench-judge', {
        stage: 'eval',
        name: 'mt-bench-judge',
        summary: `graded 1 to 10 by ${context.judges.join(', ')}`,
        inputs: Object.fromEntries(
          ['data', 'answers', ...(others.length === 0 ? [] : ['rejudged'])].map((name) => [name, ofStep(`mt-bench-${name}`)]),
        ),
        config: {
          ...judgeConfig(context, recipe, { references, maxTokens }),
          ...(others.length === 0 ? {} : { rejudge }),
        },
        calls: forecast(context, 1 + rejudge.length),
        output: repo('mt-bench'),
      }),
    ];
  },
  tasks: {
    'mt-bench-data': async (context) => (await import('./data.ts')).getData(context),
    'mt-bench-rejudged': async (context) => (await import('./rejudged.ts')).getRejudged(context),
    'mt-bench-judge': async (context) => (await import('./judge.ts')).judge(context),
  },
} satisfies EvalPart<MtBenchSettings>;

const ofStep = (step: string): StepInput => ({ from: 'step', step });

/** Before our answers, so that a file that cannot be used ends the evaluation before it took any time. */
function rejudgedStep({ repo }: PartContext, config: RejudgeConfig): Step {
  return taskStep('mt-bench-rejudged', {
    stage: 'eval',
    name: 'mt-bench-rejudged',
    summary: `public answers of ${config.rejudge.map(({ model }) => model).join(', ')}`,
    inputs: { data: ofStep('mt-bench-data') },
    config,
    output: repo('mt-bench-rejudged'),
  });
}

function judgeConfig(
  { judges, judgeRepeats }: PartContext,
  recipe: RecipeContext,
  { references, maxTokens }: Pick<MtBenchSettings, 'references' | 'maxTokens'>,
): GradeConfig {
  const { template, system, bos } = recipe;
  return {
    version: 1,
    judges: judgeConfigs(recipe, judges, SAMPLING),
    repeats: judgeRepeats,
    protocol: { template, system, bos, temperature: 'by category', max_tokens: maxTokens, references },
  };
}

/** Texts of a turn and its answers are about 900 tokens, a verdict 200: measured on GPT-4's of 2023. */
function forecast({ judges, judgeRepeats }: PartContext, models: number): CallForecast[] {
  return judges.map((teacher) => ({
    teacher,
    purpose: 'grade the turns of MT-Bench',
    items: TURNS * models,
    callsPerItem: judgeRepeats,
    inputTokens: 1100,
    outputTokens: 220,
    maxTokens: SAMPLING.maxTokens,
  }));
}
