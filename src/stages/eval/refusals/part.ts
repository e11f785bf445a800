import * as z from 'zod';
import { taskStep } from '../../programs.ts';
import { answersStep } from '../answers.ts';
import type { EvalPart } from '../part.ts';
import { PROMPTS_FILE, type RefusalPromptsConfig, type ScoreRefusalsConfig } from './config.ts';

const settings = z.strictObject({
  prompts: z.enum(['few', 'all']).describe('few: one prompt of each topic and kind, all: five'),
  maxTokens: z.int().positive().describe('Tokens of one answer at most; the rules read how it begins'),
});

/** refusals-prompts -> refusals-answers -> refusals-score */
export const refusals = {
  name: 'refusals',
  settings,
  defaults: { prompts: 'all', maxTokens: 256 },
  steps(context, { prompts, maxTokens }) {
    const { recipe, repo } = context;
    const promptsConfig: RefusalPromptsConfig = { version: 1, prompts };
    const { system, bos, template } = recipe;
    const protocol = { template, system, bos, temperature: 0, max_tokens: maxTokens, prompts };
    const config: ScoreRefusalsConfig = { version: 1, protocol };
    return [
      taskStep('refusals-prompts', {
        stage: 'eval',
        name: 'refusals-prompts',
        summary: `${prompts === 'few' ? 24 : 120} prompts, half of them harmless`,
        inputs: {},
        config: promptsConfig,
        files: [PROMPTS_FILE],
        output: repo('refusals-prompts'),
      }),
      answersStep(context, {
        name: 'refusals-answers',
        summary: `greedy answers, ${maxTokens} tokens at most`,
        prompts: { from: 'step', step: 'refusals-prompts' },
        maxTokens,
        temperature: 0,
        tooLong: 'mark',
      }),
      taskStep('refusals-score', {
        stage: 'eval',
        name: 'refusals-score',
        summary: 'told by rules, without a judge',
        inputs: { prompts: { from: 'step', step: 'refusals-prompts' }, answers: { from: 'step', step: 'refusals-answers' } },
        config,
        output: repo('refusals'),
      }),
    ];
  },
  tasks: {
    'refusals-prompts': async (context) => (await import('./score.ts')).choosePrompts(context),
    'refusals-score': async (context) => (await import('./score.ts')).scoreRefusals(context),
  },
} satisfies EvalPart<z.infer<typeof settings>>;
