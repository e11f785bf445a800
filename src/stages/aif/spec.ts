import * as z from 'zod';
import { datasetText, sourceText } from '../setting.ts';

export const ASPECTS = ['instruction_following', 'honesty', 'truthfulness', 'helpfulness'] as const;
export const PRINCIPLES = ['helpfulness', 'harmlessness', 'honesty', 'verbalized_calibration', 'truthfulness'] as const;

const sampling = {
  temperature: z.number().min(0).max(2).default(1).describe('Sampling temperature; UltraFeedback: 1'),
  topP: z.number().positive().max(1).default(1).describe('Nucleus sampling; UltraFeedback: 1'),
  maxTokens: z.int().positive().default(1024).describe('Tokens of one answer at most; UltraFeedback: 1024'),
};

const poolMember = z
  .strictObject({
    teacher: z.string().optional().describe('Id of a teacher that answers over an API'),
    model: sourceText('model', ['dsft'])
      .optional()
      .describe('A model artifact that answers in a job of its own: `dsft` (on-policy answers) or hf://models/...'),
    weight: z
      .number()
      .positive()
      .default(1)
      .describe('How often this member is drawn, relative to the others; UltraFeedback: all the same'),
    engine: z
      .enum(['transformers', 'vllm'])
      .default('transformers')
      .describe('What runs a model artifact; ignored for a teacher'),
    batchSize: z.int().positive().default(8).describe('Prompts that a model artifact answers at once; ignored for a teacher'),
  })
  .refine(({ teacher, model }) => (teacher === undefined) !== (model === undefined), 'expected either `teacher` or `model`');

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

const prompts = z
  .strictObject({
    ref: datasetText
      .optional()
      .describe('Dataset on the Hub that holds prompts, e.g. hf://datasets/HuggingFaceH4/ultrachat_200k'),
    split: z
      .string()
      .min(1)
      .default('train_gen')
      .describe('Split of `ref`; ultrachat_200k keeps prompts for generation in train_gen'),
    column: z.string().min(1).default('prompt').describe('Column of `ref` that holds the prompt as text'),
    list: z.array(z.string().min(1)).default([]).describe('Prompts written out here'),
    file: z
      .string()
      .optional()
      .describe('Text file with one prompt a line, relative to the recipe; read into `list`, at most 1 MiB'),
    rows: z
      .int()
      .positive()
      .nullable()
      .default(null)
      .describe('Prompts to use at most, chosen by the seed; null for all; UltraFeedback: 63,967'),
    maxCharacters: z.int().positive().default(8000).describe('Longer prompts are dropped, in characters'),
    decontaminate: datasetText.optional().describe('Dataset of benchmark prompts; prompts that contain one are dropped'),
  })
  .refine(
    ({ ref, list, file }) => [ref !== undefined, list.length > 0 || file !== undefined].filter(Boolean).length === 1,
    'expected one of `ref`, `list` and `file`',
  );

export const aifTeachers = z
  .strictObject({
    source: z.literal('teachers'),
    prompts: prompts.describe('What the pool answers'),
    pool: z.array(poolMember).min(1).describe('Who answers; UltraFeedback: 17 models of very different skill'),
    answersPerPrompt: z.int().min(2).default(4).describe('Different pool members drawn for a prompt; UltraFeedback: 4'),
    principles: z
      .array(z.enum(PRINCIPLES))
      .default([])
      .describe(
        'System prompts of which one is drawn for an answer; empty for none; UltraFeedback: helpfulness, honesty and truthfulness',
      ),
    answer: z.strictObject(sampling).prefault({}).describe('Sampling of the answers'),
    judge: z
      .strictObject({
        teacher: z.string().describe('Id of the teacher that judges; UltraFeedback: GPT-4'),
        aspects: z
          .array(z.enum(ASPECTS))
          .default([...ASPECTS])
          .describe('One call an aspect, all answers of a prompt in it; UltraFeedback: these four'),
        overall: z
          .boolean()
          .default(false)
          .describe('One more call an answer for a critique and a score from 1 to 10; UltraFeedback: true'),
        permutations: z
          .int()
          .min(1)
          .max(2)
          .default(1)
          .describe('Orders of the answers to judge: 2 adds the reverse against position bias; UltraFeedback: 1'),
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
      })
      .refine(({ aspects, overall }) => aspects.length > 0 || overall, 'expected at least one aspect, or overall: true'),
    binarize: z
      .strictObject({
        ...binarizeFields,
        score: binarizeFields.score.default('mean_aspects'),
        rejected: binarizeFields.rejected.default('random_lower'),
      })
      .prefault({}),
  })
  .describe('Make the feedback: a pool answers, a teacher judges, pairs come out');

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

export const aifSpec = z.discriminatedUnion('source', [aifTeachers, aifRatings, aifPairs]).describe('AI feedback');

export type AifSpec = z.infer<typeof aifSpec>;
export type AifTeachers = z.infer<typeof aifTeachers>;
export type AifRatings = z.infer<typeof aifRatings>;
export type AifPairs = z.infer<typeof aifPairs>;
export type BinarizeSpec = AifTeachers['binarize'];
