import * as z from 'zod';
import { datasetText } from '../../setting.ts';

const binarizeFields = {
  score: z
    .enum(['overall', 'mean_aspects'])
    .describe('What ranks the answers of a prompt; ultrafeedback_binarized: overall, Argilla and Tulu 3: mean_aspects'),
  rejected: z
    .enum(['random_other', 'random_lower', 'lowest'])
    .describe(
      'Which answer loses: any other (ultrafeedback_binarized), any with a lower score (the paper), the one with the lowest (SimPO)',
    ),
  ties: z
    .enum(['keep', 'drop'])
    .default('drop')
    .describe('Pairs with equal scores; only `random_other` makes any. ultrafeedback_binarized: keep'),
  minMargin: z
    .number()
    .nonnegative()
    .default(0)
    .describe('Least distance between the two scores, in points of the score; ultrafeedback_binarized: 0'),
  minChosen: z.number().nonnegative().default(0).describe('Least score of the chosen answer, in points of the score'),
  testPrompts: z
    .int()
    .nonnegative()
    .default(2000)
    .describe('Prompts held out for test_prefs, chosen by the seed; ultrafeedback_binarized: 2,000'),
};

/** With the defaults that suit feedback of one's own. */
export const binarizeSpec = z.strictObject({
  ...binarizeFields,
  score: binarizeFields.score.default('mean_aspects'),
  rejected: binarizeFields.rejected.default('random_lower'),
});

export const aifRatings = z
  .strictObject({
    source: z.literal('ratings'),
    ref: datasetText.describe('Dataset with rated answers, e.g. hf://datasets/openbmb/UltraFeedback'),
    split: z.string().min(1).default('train').describe('Its split'),
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
    train: z.string().min(1).default('train_prefs').describe('Training split'),
    test: z.string().min(1).nullable().default('test_prefs').describe('Held-out split, null for none'),
    rows: z
      .record(z.string(), z.int().positive())
      .optional()
      .describe('Rows that each split must have; the stage refuses the data otherwise'),
  })
  .describe('Take published pairs as they are');

export type AifRatings = z.infer<typeof aifRatings>;
export type AifPairs = z.infer<typeof aifPairs>;
export type BinarizeSpec = z.infer<typeof binarizeSpec>;
