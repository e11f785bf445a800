import * as z from 'zod';

/** How a rehearsal's three models are asked the held-out prompts. Never in a user's recipe. */
export const examSpec = z.strictObject({
  maxTokens: z.int().positive().describe('Tokens of one answer at most'),
  batchSize: z.int().positive().describe('Prompts answered at once'),
  temperature: z
    .number()
    .min(0)
    .max(2)
    .describe('Sampling temperature; 1 draws answers from what the model believes, so that manners it has not unlearned show'),
  bootstrap: z.int().positive().describe('Resamplings behind a confidence interval'),
});

export type ExamSpec = z.infer<typeof examSpec>;
