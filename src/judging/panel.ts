import * as z from 'zod';
import { callFields } from '../calls/call-config.ts';

/** Which judges are asked about what, and how: all of a step's config that shapes the requests to them. */
export const judgePanel = z.object({
  seed: z.int(),
  judges: z.array(callFields).min(1),
  fallback: callFields.nullable(),
  mode: z.enum(['per_aspect', 'joint', 'pairwise', 'expected']),
  aspects: z.array(z.string()),
  overall: z.boolean(),
  permutations: z.int().min(1).max(4),
  pairs_per_prompt: z.int().positive(),
  min_mass: z.number(),
});
export type JudgePanel = z.infer<typeof judgePanel>;
