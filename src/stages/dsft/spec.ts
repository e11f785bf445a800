import * as z from 'zod';
import { datasetSpec, decontaminate, maxDropped } from '../data-spec.ts';
import type { RecipeContext } from '../recipe-context.ts';
import { loraSpec, trainingFields } from '../training-spec.ts';
import { dsftTeacher } from './dialogues/spec.ts';

const dsftDatasets = z
  .strictObject({
    source: z.literal('datasets'),
    datasets: z.array(datasetSpec('train_sft', 'test_sft')).min(1).describe('Published dialogues, mixed in this order'),
  })
  .describe('Train on published dialogues, as Zephyr did');

const dsftPrepare = z.strictObject({
  maxLength: z.int().positive().default(2048).describe('Tokens of a training row; v0.3: 2048'),
  packing: z
    .boolean()
    .default(true)
    .describe(
      'Put whole dialogues into rows by best fit, where none sees another; v0.3: true, concatenated and cut, where they did',
    ),
  lossTokens: z
    .enum(['all', 'assistant'])
    .default('all')
    .describe('Tokens that count in the loss; v0.3: all, user turns included'),
  truecase: z.boolean().default(false).describe('Restore the casing of dialogues in lower case; already done in ultrachat_200k'),
  dropRefusals: z
    .boolean()
    .default(false)
    .describe('Drop dialogues whose assistant disclaims emotions or opinions; already done in ultrachat_200k'),
  decontaminate: decontaminate('a dialogue', '143 rows'),
  testRows: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe('Held-out rows cut from the training rows, null to use the test splits'),
  maxDropped,
});

export const dsftSpec = z
  .strictObject({
    data: z.discriminatedUnion('source', [dsftDatasets, dsftTeacher]).describe('Where the dialogues come from'),
    prepare: dsftPrepare.prefault({}).describe('Filter, render, tokenise and pack, once, before any GPU is held'),
    train: z.strictObject(trainingFields).describe('Supervised fine-tuning'),
    lora: loraSpec.optional(),
  })
  .describe('Distilled supervised fine-tuning');

export type DsftSpec = z.infer<typeof dsftSpec>;

/** A recipe as far as the stage reads it. */
export type DsftRecipe = RecipeContext & { readonly dsft: DsftSpec };
