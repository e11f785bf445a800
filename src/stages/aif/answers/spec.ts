import * as z from 'zod';
import { sourceText } from '../../setting.ts';

export const PRINCIPLES = ['helpfulness', 'harmlessness', 'honesty', 'verbalized_calibration', 'truthfulness'] as const;

export const samplingFields = {
  temperature: z.number().min(0).max(2).default(1).describe('Sampling temperature; UltraFeedback: 1'),
  topP: z.number().positive().max(1).default(1).describe('Nucleus sampling; UltraFeedback: 1'),
  maxTokens: z.int().positive().default(1024).describe('Tokens of one answer at most; UltraFeedback: 1024'),
};

export const poolMember = z
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

export type PoolSpec = z.infer<typeof poolMember>;
