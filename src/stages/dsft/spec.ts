import * as z from 'zod';
import { datasetSpec } from '../data-spec.ts';
import { datasetText } from '../setting.ts';
import { loraSpec, trainingFields } from '../training-spec.ts';

export const dsftDatasets = z
  .strictObject({
    source: z.literal('datasets'),
    datasets: z.array(datasetSpec('train_sft', 'test_sft')).min(1).describe('Published dialogues, mixed in this order'),
  })
  .describe('Train on published dialogues, as Zephyr did');

export const dsftTeacher = z
  .strictObject({
    source: z.literal('teacher'),
    user: z.string().describe('Id of the teacher that plays the user'),
    assistant: z.string().describe('Id of the teacher that answers: the one to distil'),
    topics: z
      .array(z.string().min(1))
      .default([])
      .describe('What the dialogues are about; the user model turns each into questions'),
    topicsFile: z.string().optional().describe('Text file with one topic a line, relative to the recipe; read into `topics`'),
    dialogues: z.int().positive().describe('Dialogues to make for training; UltraChat 200k: 207,865'),
    testDialogues: z.int().nonnegative().default(0).describe('Dialogues to make for the held-out split; UltraChat 200k: 23,110'),
    questionsPerTopic: z
      .int()
      .positive()
      .default(10)
      .describe('Opening questions asked for at once for a topic; UltraChat: up to 10'),
    turns: z
      .strictObject({
        min: z.int().positive().default(1).describe('Fewest question and answer rounds of a dialogue'),
        max: z.int().positive().default(3).describe('Most rounds; UltraChat: 3 to 7'),
      })
      .refine(({ min, max }) => min <= max, 'expected min to be at most max')
      .prefault({}),
    temperature: z.number().min(0).max(2).default(1).describe('Sampling temperature of both sides'),
    topP: z.number().positive().max(1).default(1).describe('Nucleus sampling of both sides'),
    maxTokens: z.int().positive().default(1024).describe('Tokens of one turn at most'),
  })
  .describe('Make dialogues with teachers: one plays the user, one answers, as UltraChat was made');

export const dsftPrepare = z.strictObject({
  maxLength: z.int().positive().default(2048).describe('Tokens of a training row; v0.3: 2048'),
  packing: z.boolean().default(true).describe('Concatenate dialogues and cut them into full rows; v0.3: true'),
  lossTokens: z
    .enum(['all', 'assistant'])
    .default('all')
    .describe('Tokens that count in the loss; v0.3: all, user turns included'),
  truecase: z.boolean().default(false).describe('Restore the casing of dialogues in lower case; already done in ultrachat_200k'),
  dropRefusals: z
    .boolean()
    .default(false)
    .describe('Drop dialogues whose assistant disclaims emotions or opinions; already done in ultrachat_200k'),
  decontaminate: datasetText
    .optional()
    .describe('Dataset of benchmark prompts; rows that contain one are dropped; v0.3: HumanEval, 143 rows'),
  testRows: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe('Held-out rows cut from the training rows, null to use the test splits'),
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
export type DsftTeacher = z.infer<typeof dsftTeacher>;
