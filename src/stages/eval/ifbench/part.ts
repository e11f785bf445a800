import * as z from 'zod';
import { jobStep, taskStep } from '../../programs.ts';
import { datasetText, inputOf } from '../../recipe-context.ts';
import { answersStep } from '../answers.ts';
import type { EvalPart } from '../part.ts';
import type { IfbenchPromptsConfig } from './config.ts';

/**
 * The commit that tables of pins of several public harnesses agree on. Columns as the package if-verifiable 0.1.2 reads them and
 * as copies of the 300 rows in public packages have them: `key` (a text), `prompt`, `instruction_id_list`, and `kwargs`, one
 * object an instruction, in which every argument of any instruction is named and null where it is not meant.
 */
const SOURCE = 'hf://datasets/allenai/IFBench_test@2e8a48de45ff3bf41242f927254ca81b59ca3ae2';

const settings = z.strictObject({
  data: datasetText.describe('Where its rows come from: a mirror, or one imported here, with the same columns'),
  maxTokens: z.int().positive().describe('Tokens of one answer at most'),
  limit: z.int().positive().nullable().describe('The first prompts alone; null: all of them'),
});
type IfbenchSettings = z.infer<typeof settings>;

/** ifbench-prompts -> ifbench-answers -> ifbench-score */
export const ifbench = {
  name: 'ifbench',
  settings,
  defaults: { data: SOURCE, maxTokens: 2048, limit: null },
  steps(context, { data, maxTokens, limit }) {
    const { recipe, repo } = context;
    const { template, system, bos } = recipe;
    const config: IfbenchPromptsConfig = { version: 1, limit };
    return [
      taskStep('ifbench-prompts', {
        stage: 'eval',
        name: 'ifbench-prompts',
        summary: `${limit === null ? 'prompts' : `${limit} prompts`} that set rules for answers`,
        inputs: { data: inputOf(data) },
        config,
        output: repo('ifbench-prompts'),
      }),
      answersStep(context, {
        name: 'ifbench-answers',
        summary: `greedy answers, ${maxTokens} tokens at most`,
        prompts: { from: 'step', step: 'ifbench-prompts' },
        maxTokens,
        temperature: 0,
        tooLong: 'mark',
      }),
      jobStep('ifbench_score', {
        stage: 'eval',
        name: 'ifbench-score',
        summary: 'told by if-verifiable, no judge',
        inputs: { prompts: { from: 'step', step: 'ifbench-prompts' }, answers: { from: 'step', step: 'ifbench-answers' } },
        config: { protocol: { data, template, system, bos, temperature: 0, max_tokens: maxTokens, limit } },
        output: repo('ifbench'),
      }),
    ];
  },
  tasks: {
    'ifbench-prompts': async (context) => (await import('./prompts.ts')).getPrompts(context),
  },
} satisfies EvalPart<IfbenchSettings>;
