import * as z from 'zod';
import { REJECTED } from './pick-pair.ts';
import { SCORES } from './scores.ts';

/** How rated answers become pairs, as `binarizeConfig` wrote it. */
export const binarizeRule = z.object({
  seed: z.int(),
  score: z.enum(SCORES),
  /** what an answer must have been rated in, to have a score */
  aspects: z.array(z.string()),
  weights: z.record(z.string(), z.number()),
  length_residual: z.boolean(),
  rejected: z.enum(REJECTED),
  margin_band: z.object({ min: z.number(), max: z.number() }).nullable(),
  ties: z.enum(['keep', 'drop']),
  min_margin: z.number(),
  /** null: none */
  min_chosen: z.number().nullable(),
  same_when_cut: z.enum(['flag', 'drop']),
  /** tokens */
  trainer: z.object({ max_length: z.int(), max_prompt_length: z.int() }),
  /** standard deviations */
  cross_check: z.number(),
  test_prompts: z.int(),
  /** of what a pool member writes, by its id; none: not given */
  licences: z.record(z.string(), z.string()),
});
export type BinarizeRule = z.infer<typeof binarizeRule>;
