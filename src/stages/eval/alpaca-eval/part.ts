import * as z from 'zod';
import { type Mistake, mistakeAt } from '../../mistake.ts';
import { jobStep, taskStep } from '../../programs.ts';
import { datasetText, inputOf } from '../../recipe-context.ts';
import type { CallForecast, Step, StepInput } from '../../stage.ts';
import { answersStep } from '../answers.ts';
import { judgeConfigs, judgeIdentity } from '../judges.ts';
import type { EvalPart, PartContext } from '../part.ts';
import { type ChoiceConfig, DATA, type InstructionsConfig, SAMPLING, type Version } from './config.ts';

const rejudged = z.strictObject({
  model: z.string().regex(/^[A-Za-z0-9][\w. -]*$/, 'expected letters, digits and _ . - or blanks'),
  answers: datasetText.describe('Dataset with its public answers'),
  file: z
    .string()
    .default('model_outputs.json')
    .describe('File in it: a JSON list of instruction and output, as alpaca_eval keeps results'),
});
const settings = z.strictObject({
  versions: z
    .array(z.literal([1, 2]))
    .min(1)
    .describe('1: a ranking against text-davinci-003; 2: probabilities against GPT-4 Turbo, which needs log-probabilities'),
  data: datasetText.describe(
    'Instructions and baseline answers, with the files of tatsu-lab/alpaca_eval. They are CC BY-NC 4.0: not for commercial use',
  ),
  maxTokens: z.int().positive().describe('Tokens of one answer at most; ZEPHYR-7B: 2,048'),
  temperature: z.number().min(0).max(2).describe('At which answers are drawn; ZEPHYR-7B: 0.7'),
  rejudge: z
    .array(rejudged)
    .describe('Models whose public answers are judged in the same run by the same judges, to compare with'),
});
type AlpacaEvalSettings = z.infer<typeof settings>;

const INSTRUCTIONS = 805;

/** alpaca-eval-prompts -> alpaca-eval-answers -> alpaca-eval-requests -> alpaca-eval-judge -> alpaca-eval-results */
export const alpacaEval = {
  name: 'alpaca-eval',
  settings,
  defaults: { versions: [1, 2], data: DATA, maxTokens: 2048, temperature: 0.7, rejudge: [] },
  isJudged: true,
  check: (_context, { rejudge, versions }) => checkRejudged(rejudge, versions),
  steps: (context, chosen) => [...answered(context, chosen), ...judged(context, chosen)],
  tasks: {
    'alpaca-eval-prompts': async (context) => (await import('./prompts.ts')).instructionPrompts(context),
    'alpaca-eval-judge': async (context) => (await import('./judge.ts')).judgePairs(context),
  },
} satisfies EvalPart<AlpacaEvalSettings>;

const ofStep = (step: string): StepInput => ({ from: 'step', step });

function answered(context: PartContext, { data, maxTokens, temperature }: AlpacaEvalSettings): Step[] {
  const prompts: InstructionsConfig = { version: 1 };
  return [
    taskStep('alpaca-eval-prompts', {
      stage: 'eval',
      name: 'alpaca-eval-prompts',
      summary: 'instructions of AlpacaEval, CC BY-NC 4.0: not for commercial use',
      inputs: { data: inputOf(data) },
      config: prompts,
      output: context.repo('alpaca-eval-prompts'),
    }),
    answersStep(context, {
      name: 'alpaca-eval-answers',
      summary: `answers of at most ${maxTokens} tokens, temperature ${temperature}`,
      prompts: ofStep('alpaca-eval-prompts'),
      maxTokens,
      temperature,
      tooLong: 'mark',
    }),
  ];
}

function judged(context: PartContext, chosen: AlpacaEvalSettings): Step[] {
  const { recipe, judges, judgeRepeats: repeats, repo } = context;
  const { versions, data, rejudge, maxTokens, temperature } = chosen;
  const { template, system, bos } = recipe;
  const named = rejudge.map((each, index) => ({ ...each, input: `rejudge${index}` }));
  const fields = (version: Version) => judgeConfigs(recipe, judges, SAMPLING[version]);
  const ofVersions = <T>(of: (version: Version) => T) => Object.fromEntries(versions.map((version) => [version, of(version)]));
  const config: ChoiceConfig = { version: 1, repeats, judges: ofVersions(fields) };
  const identities = (version: Version) =>
    fields(version).map((judge) => ({ teacher: judge.teacher, identity: judgeIdentity(judge) }));
  return [
    jobStep('alpaca_requests', {
      stage: 'eval',
      name: 'alpaca-eval-requests',
      summary: 'answers beside the baseline, as alpaca_eval asks about them',
      inputs: {
        data: inputOf(data),
        prompts: ofStep('alpaca-eval-prompts'),
        answers: ofStep('alpaca-eval-answers'),
        ...Object.fromEntries(named.map(({ input, answers }) => [input, inputOf(answers)])),
      },
      config: { versions, rejudge: named.map(({ model, input, file }) => ({ model, input, file })) },
      output: repo('alpaca-eval-requests'),
    }),
    taskStep('alpaca-eval-judge', {
      stage: 'eval',
      name: 'alpaca-eval-judge',
      summary: `which answer is better, by ${judges.join(', ')}`,
      inputs: { requests: ofStep('alpaca-eval-requests') },
      config,
      calls: forecast(context, chosen),
      output: repo('alpaca-eval-judgments'),
    }),
    jobStep('alpaca_results', {
      stage: 'eval',
      name: 'alpaca-eval-results',
      summary: 'win rates by the package alpaca_eval',
      inputs: { data: inputOf(data), requests: ofStep('alpaca-eval-requests'), judgments: ofStep('alpaca-eval-judge') },
      config: {
        versions,
        rejudge: Object.fromEntries(named.map(({ model, answers, file }) => [model, `${answers} ${file}`])),
        judges: ofVersions(identities),
        repeats,
        protocol: { template, system, bos, temperature, max_tokens: maxTokens },
        source: data,
      },
      output: repo('alpaca-eval'),
    }),
  ];
}

function checkRejudged(rejudge: AlpacaEvalSettings['rejudge'], versions: readonly Version[]): (Mistake | undefined)[] {
  const path = ['eval', 'alpaca-eval'];
  return [
    new Set(versions).size < versions.length ? mistakeAt([...path, 'versions'], 'names one version twice') : undefined,
    ...rejudge.map(({ model }, index) =>
      rejudge.findIndex((other) => other.model === model) === index
        ? undefined
        : mistakeAt([...path, 'rejudge', index, 'model'], `is "${model}", expected a name that no other has`),
    ),
  ];
}

/** By the $17.95 that GPT-4's 805 verdicts on ZEPHYR-7B cost in 2023; version 2's baseline is some 1,700 characters longer. */
function forecast({ judges, judgeRepeats }: PartContext, { versions, rejudge }: AlpacaEvalSettings): CallForecast[] {
  return judges.flatMap((teacher) =>
    versions.map((version) => ({
      teacher,
      purpose: `compare answers, AlpacaEval ${version}`,
      items: INSTRUCTIONS * (1 + rejudge.length),
      callsPerItem: judgeRepeats,
      inputTokens: version === 1 ? 650 : 1150,
      outputTokens: version === 1 ? 30 : 1,
      maxTokens: SAMPLING[version].maxTokens,
    })),
  );
}
