import * as z from 'zod';
import { budgetUsd, maxUnanswered } from '../data-spec.ts';
import type { RecipeContext } from '../recipe-context.ts';
import { member, poolMember, principlesSpec, samplingFields } from './answers/spec.ts';
import { judgeSpec } from './judge/spec.ts';
import { aifPairs, aifRatings, binarizeSpec, type TrainerLengths } from './pairs/spec.ts';
import { promptsSpec } from './prompts/spec.ts';

const aifTeachers = z
  .strictObject({
    source: z.literal('teachers'),
    budgetUsd,
    maxUnanswered,
    prompts: promptsSpec.describe('What the pool answers'),
    pool: z.array(poolMember).min(1).describe('Who answers; UltraFeedback: 17 models of very different skill'),
    answersPerPrompt: z.int().min(2).default(4).describe('Different pool members drawn for a prompt; UltraFeedback: 4'),
    principles: principlesSpec
      .default([])
      .describe(
        'System prompts of which one is drawn for an answer: a list, or weights by source, as evol_instruct: { helpfulness: 100 }, with those of `default` for the others; empty for none; UltraFeedback: weights by source',
      ),
    answer: z.strictObject(samplingFields).prefault({}).describe('Sampling of the answers'),
    judge: judgeSpec.describe('Who rates the answers, and what'),
    binarize: binarizeSpec.prefault({}).describe('How rated answers become pairs; costs nothing and can be run again'),
  })
  .describe('Make the feedback: a pool answers, a teacher judges, pairs come out');

const aifDelta = z
  .strictObject({
    source: z.literal('delta'),
    budgetUsd: budgetUsd.describe('Dollars that the stage may spend on teachers at most'),
    maxUnanswered,
    prompts: promptsSpec.describe('What both answer'),
    strong: member.describe('Whose answers are chosen; Olmo 3: Qwen3 32B'),
    weak: member.describe('Whose answers are rejected; Olmo 3: Qwen3 0.6B'),
    answer: z.strictObject(samplingFields).prefault({}).describe('Sampling of the answers'),
    testPrompts: z
      .int()
      .nonnegative()
      .default(2000)
      .describe('Prompts held out for test_prefs, chosen by the seed; ultrafeedback_binarized: 2,000'),
  })
  .describe('Delta learning (arXiv 2507.06187): the answer of a stronger model over that of a weaker one, without a judge');

export const aifSpec = z.discriminatedUnion('source', [aifTeachers, aifDelta, aifRatings, aifPairs]).describe('AI feedback');

export type AifSpec = z.infer<typeof aifSpec>;
export type AifTeachers = z.infer<typeof aifTeachers>;
export type AifDelta = z.infer<typeof aifDelta>;

/** A recipe as far as the stage reads it: how the trainer will cut pairs is a part of how they are made. */
export type AifRecipe = RecipeContext & { readonly aif: AifSpec; readonly ddpo: { readonly prepare: TrainerLengths } };
