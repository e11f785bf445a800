import * as z from 'zod';
import { taskStep } from '../../programs.ts';
import { datasetText, inputOf } from '../../recipe-context.ts';
import type { CallForecast, StepInput } from '../../stage.ts';
import { answersStep } from '../answers.ts';
import { judgeConfigs } from '../judges.ts';
import type { EvalPart, PartContext } from '../part.ts';
import { type ArenaDataConfig, DATA, type PairsConfig } from './config.ts';

const settings = z.strictObject({
  data: datasetText.describe('Prompts and baseline answers, with the files of lmarena-ai/arena-hard-auto'),
  maxTokens: z.int().positive().describe('Tokens of one answer at most'),
});
type ArenaHardSettings = z.infer<typeof settings>;

const PROMPTS = 750;
const SAMPLING = { temperature: 0, topP: 1, maxTokens: 4096 };

/** arena-hard-data -> arena-hard-answers -> arena-hard-judge; in no suite, since its judge must be a strong one. */
export const arenaHard = {
  name: 'arena-hard',
  settings,
  defaults: { data: DATA, maxTokens: 2048 },
  isJudged: true,
  steps(context, { data, maxTokens }) {
    const { recipe, repo, judges, judgeRepeats } = context;
    const { template, system, bos } = recipe;
    const prompts: StepInput = { from: 'step', step: 'arena-hard-data' };
    const ofData: ArenaDataConfig = { version: 1 };
    const config: PairsConfig = {
      version: 1,
      judges: judgeConfigs(recipe, judges, SAMPLING),
      repeats: judgeRepeats,
      protocol: { template, system, bos, temperature: 0, max_tokens: maxTokens, source: data },
    };
    return [
      taskStep('arena-hard-data', {
        stage: 'eval',
        name: 'arena-hard-data',
        summary: 'prompts beside answers of the baselines',
        inputs: { data: inputOf(data) },
        config: ofData,
        output: repo('arena-hard-data'),
      }),
      answersStep(context, {
        name: 'arena-hard-answers',
        summary: `${maxTokens} tokens at most, temperature 0`,
        prompts,
        maxTokens,
        temperature: 0,
        tooLong: 'mark',
      }),
      taskStep('arena-hard-judge', {
        stage: 'eval',
        name: 'arena-hard-judge',
        summary: `compared in both orders by ${judges.join(', ')}`,
        inputs: { prompts, answers: { from: 'step', step: 'arena-hard-answers' } },
        config,
        calls: forecast(context),
        output: repo('arena-hard'),
      }),
    ];
  },
  tasks: {
    'arena-hard-data': async (context) => (await import('./data.ts')).arenaPrompts(context),
    'arena-hard-judge': async (context) => (await import('./judge.ts')).judgeGames(context),
  },
} satisfies EvalPart<ArenaHardSettings>;

/** A prompt has 1,042 characters and its baseline's answer 3,433, by their mean; ours, and what a judge writes, are guesses. */
function forecast({ judges, judgeRepeats }: PartContext): CallForecast[] {
  return judges.map((teacher) => ({
    teacher,
    purpose: 'compare answers, Arena-Hard v2',
    items: PROMPTS,
    callsPerItem: 2 * judgeRepeats,
    inputTokens: 2300,
    outputTokens: 600,
    maxTokens: SAMPLING.maxTokens,
  }));
}
