import * as z from 'zod';
import { PRINCIPLES, poolMember, samplingFields } from './answers/spec.ts';
import { promptsSpec } from './intake/spec.ts';
import { judgeSpec } from './judging/spec.ts';
import { aifPairs, aifRatings, binarizeSpec } from './pairs/spec.ts';

export const aifTeachers = z
  .strictObject({
    source: z.literal('teachers'),
    budgetUsd: z
      .number()
      .positive()
      .optional()
      .describe('Dollars that the stage may spend on teachers at most; every teacher then needs a price'),
    prompts: promptsSpec.describe('What the pool answers'),
    pool: z.array(poolMember).min(1).describe('Who answers; UltraFeedback: 17 models of very different skill'),
    answersPerPrompt: z.int().min(2).default(4).describe('Different pool members drawn for a prompt; UltraFeedback: 4'),
    principles: z
      .array(z.enum(PRINCIPLES))
      .default([])
      .describe(
        'System prompts of which one is drawn for an answer; empty for none; UltraFeedback: helpfulness, honesty and truthfulness',
      ),
    answer: z.strictObject(samplingFields).prefault({}).describe('Sampling of the answers'),
    judge: judgeSpec.describe('Who rates the answers, and what'),
    binarize: binarizeSpec.prefault({}).describe('How rated answers become pairs; costs nothing and can be run again'),
  })
  .describe('Make the feedback: a pool answers, a teacher judges, pairs come out');

export const aifSpec = z.discriminatedUnion('source', [aifTeachers, aifRatings, aifPairs]).describe('AI feedback');

export type AifSpec = z.infer<typeof aifSpec>;
export type AifTeachers = z.infer<typeof aifTeachers>;
