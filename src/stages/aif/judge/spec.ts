import * as z from 'zod';
import { JUDGE_MODES, MODE_NAMES } from '../../../judging/panel.ts';
import { ASPECTS } from '../../../judging/question.ts';
import { configName } from '../../data-spec.ts';
import { datasetText, sourceText } from '../../recipe-context.ts';

const calibrationSpec = z
  .strictObject({
    ref: datasetText.describe(
      'Dataset of pairs with human labels: columns prompt, chosen and rejected as texts or conversations; 50 to 200 are enough',
    ),
    config: configName,
    split: z.string().min(1).default('train').describe('Its split'),
    minAgreement: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('Share of the labels that the judge must agree with, a tie being half'),
    minKappa: z.number().min(-1).max(1).optional().describe("Cohen's kappa that judge and labels must reach"),
  })
  .describe('Judged first, in the very same way: below a minimum the step stops, before anything else is paid');

const teachersSpec = z
  .strictObject({
    // Optional underneath, so that a recipe may leave out what tells the two kinds apart.
    by: z.literal('teachers').optional().default('teachers').describe('Language models judge over an API'),
    teachers: z
      .array(z.string())
      .min(1)
      .describe('Ids of the teachers that judge; of several the median counts. UltraFeedback: GPT-4 alone'),
    fallback: z
      .string()
      .optional()
      .describe('Id of a teacher that is asked where the reply of a judge cannot be read twice; its rows name it'),
    mode: z
      .enum(MODE_NAMES)
      .default('per_aspect')
      .describe(MODE_NAMES.map((name) => `${name}: ${JUDGE_MODES[name].about}`).join('; ')),
    aspects: z
      .array(z.enum(ASPECTS))
      .default([...ASPECTS])
      .describe('What is rated, or in mode pairwise weighed together; UltraFeedback: these four'),
    overall: z
      .boolean()
      .default(false)
      .describe('One more call an answer for a critique and a score from 1 to 10; UltraFeedback: true'),
    permutations: z
      .int()
      .min(1)
      .max(4)
      .default(2)
      .describe(
        'Orders of the answers to judge: 2 is a drawn one and its reverse, against position bias; 3 and 4 are another; UltraFeedback: 1',
      ),
    pairsPerPrompt: z
      .int()
      .positive()
      .default(10)
      .describe('pairwise only: so many pairs of a prompt at most, drawn by the seed; 10 are all pairs of 5 answers'),
    minMass: z
      .number()
      .min(0)
      .max(1)
      .default(0.5)
      .describe('expected only: probability that the digits must have together, or the judgement is invalid'),
    temperature: z.number().min(0).max(2).default(0).describe('Sampling temperature; UltraFeedback: 0'),
    topP: z
      .number()
      .positive()
      .max(1)
      .default(1)
      .describe('Nucleus sampling; UltraFeedback: 0.6, without effect at temperature 0'),
    maxTokens: z
      .int()
      .positive()
      .default(1024)
      .describe('Tokens of one judgement at most; UltraFeedback: 500 for aspects, 1,024 for the critique'),
    calibration: calibrationSpec.optional(),
  })
  .refine(({ aspects, overall }) => aspects.length > 0 || overall, 'expected at least one aspect, or overall: true')
  .refine(({ aspects }) => new Set(aspects).size === aspects.length, 'expected every aspect once');

const rewardSpec = z.strictObject({
  by: z.literal('reward_model').describe('A reward model scores in a job of its own, without any call'),
  model: sourceText('model', []).describe('Reward model with one label and a chat template, hf://models/ORG/NAME[@REVISION]'),
  batchSize: z.int().positive().default(8).describe('Answers scored at once'),
  maxLength: z
    .int()
    .positive()
    .default(4096)
    .describe('Tokens of prompt and answer at most; a longer one gets no reward. SimPO answers in at most 4,096'),
});

export const judgeSpec = z.discriminatedUnion('by', [teachersSpec, rewardSpec]);

export type TeachersJudgeSpec = z.infer<typeof teachersSpec>;
export type RewardJudgeSpec = z.infer<typeof rewardSpec>;
