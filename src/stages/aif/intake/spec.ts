import * as z from 'zod';
import { datasetText } from '../../setting.ts';

export const promptsSpec = z
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

export type PromptsSpec = z.infer<typeof promptsSpec>;
