import * as z from 'zod';

export const ASPECTS = ['instruction_following', 'honesty', 'truthfulness', 'helpfulness'] as const;

export const judgeSpec = z
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
  .refine(({ aspects, overall }) => aspects.length > 0 || overall, 'expected at least one aspect, or overall: true');

export type JudgeSpec = z.infer<typeof judgeSpec>;
