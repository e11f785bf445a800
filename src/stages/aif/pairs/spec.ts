import * as z from 'zod';
import { ASPECTS } from '../../../judging/question.ts';
import { configName, maxDropped } from '../../data-spec.ts';
import { datasetText } from '../../recipe-context.ts';
import { REJECTED } from './pick-pair.ts';
import { SCORES } from './scores.ts';

const binarizeFields = {
  score: z
    .enum(SCORES)
    .describe(
      'What ranks the answers of a prompt. mean_aspects: Argilla and Tulu 3; overall: ultrafeedback_binarized; weighted: aspects by `weights`; expected: aspects rated by log-probabilities; reward: of a reward model; pairwise: share of comparisons won, a tie being half',
    ),
  weights: z
    .partialRecord(z.enum(ASPECTS), z.number().nonnegative())
    .optional()
    .describe('score weighted only: weight of each aspect; one that is not named has none'),
  lengthResidual: z
    .boolean()
    .default(false)
    .describe(
      'Take out of the scores what the length of an answer explains (linear regression over the dataset), since judges like long answers; as length-controlled AlpacaEval does with comparisons',
    ),
  rejected: z
    .enum(REJECTED)
    .describe(
      'Which answer loses: any other (ultrafeedback_binarized), any with a lower score (the paper), the one with the lowest (SimPO), one within `marginBand`',
    ),
  marginBand: z
    .strictObject({ min: z.number().nonnegative(), max: z.number().positive() })
    .refine(({ min, max }) => min <= max, 'expected min to be at most max')
    .optional()
    .describe(
      'rejected margin_band only: distance of the loser from the chosen answer, in points of the score, both ends included',
    ),
  ties: z
    .enum(['keep', 'drop'])
    .default('drop')
    .describe('Pairs with equal scores; only `random_other` and a band from 0 make any. ultrafeedback_binarized: keep'),
  minMargin: z
    .number()
    .nonnegative()
    .optional()
    .describe(
      'Least distance between the two scores, in points of the score; without it 0.5 for own feedback on the scale of 1 to 5, since thin margins are mostly noise, and else 0. ultrafeedback_binarized: 0',
    ),
  minChosen: z
    .number()
    .optional()
    .describe(
      'Least score of the chosen answer, in points of the score; without it 3 for own feedback on the scale of 1 to 5, and else none. ultrafeedback_binarized: 0',
    ),
  trainerMaxLength: z
    .int()
    .positive()
    .optional()
    .describe('Tokens to which the trainer cuts prompt and answer; ddpo.prepare.maxLength without it'),
  sameWhenCut: z
    .enum(['flag', 'drop'])
    .default('drop')
    .describe(
      'Pairs whose answers differ only beyond that, as estimated at 4 characters a token: they would teach nothing. The prepare step of ddpo drops those that are left by their tokens',
    ),
  crossCheck: z
    .number()
    .positive()
    .default(3)
    .describe(
      'Answers whose overall score and mean of aspects lie so many standard deviations apart are listed; 2,628 worst answers that UltraFeedback marked 10 stand out so',
    ),
  testPrompts: z
    .int()
    .nonnegative()
    .default(2000)
    .describe('Prompts held out for test_prefs, chosen by the seed; ultrafeedback_binarized: 2,000'),
};

/** The section with the defaults that suit a user's own feedback. */
export const binarizeSpec = z.strictObject({
  ...binarizeFields,
  score: binarizeFields.score.default('mean_aspects'),
  rejected: binarizeFields.rejected.default('random_lower'),
});

export const aifRatings = z
  .strictObject({
    source: z.literal('ratings'),
    ref: datasetText.describe('Dataset with rated answers, e.g. hf://datasets/openbmb/UltraFeedback'),
    config: configName,
    split: z.string().min(1).default('train').describe('Its split'),
    maxDropped,
    licence: z.string().min(1).optional().describe('Its licence, for the card; openbmb/UltraFeedback: mit'),
    dropSources: z
      .array(z.string())
      .default([])
      .describe('Values of its column `source` to leave out; ultrafeedback_binarized: truthful_qa'),
    decontaminate: datasetText
      .optional()
      .describe('Dataset of benchmark prompts; prompts equal to one are dropped; ultrafeedback_binarized: TruthfulQA'),
    binarize: z.strictObject(binarizeFields),
  })
  .describe('Binarize published ratings anew, without any paid call');

export const aifPairs = z
  .strictObject({
    source: z.literal('pairs'),
    ref: datasetText.describe('Dataset of pairs, e.g. hf://datasets/HuggingFaceH4/ultrafeedback_binarized'),
    config: configName,
    train: z.string().min(1).default('train_prefs').describe('Training split'),
    test: z.string().min(1).nullable().default('test_prefs').describe('Held-out split, null for none'),
    rows: z
      .record(z.string(), z.int().positive())
      .optional()
      .describe('Rows that each split must have; the stage refuses the data otherwise'),
    maxDropped,
  })
  .describe('Take published pairs as they are');

/** How the trainer will cut pairs, in tokens. */
export interface TrainerLengths {
  readonly maxLength: number;
  readonly maxPromptLength: number;
}

export type AifRatings = z.infer<typeof aifRatings>;
export type AifPairs = z.infer<typeof aifPairs>;
export type BinarizeSpec = z.infer<typeof binarizeSpec>;
