import * as z from 'zod';
import { judgePanel } from '../../../judging/panel.ts';

const calibration = z.object({
  config: z.string().exactOptional(),
  split: z.string(),
  min_agreement: z.number().nullable(),
  min_kappa: z.number().nullable(),
});

/**
 * Task `judge` by teachers: reads the inputs `prompts`, `completions` and, where it calibrates, `calibration`, and
 * `templates/judge-*.md` of scripts/train.
 */
export const teachersConfig = judgePanel.extend({
  version: z.literal(3),
  by: z.literal('teachers'),
  calibration: calibration.nullable(),
});
export type TeachersConfig = z.infer<typeof teachersConfig>;

/** Task `judge` by a reward model: reads the inputs `completions` and `rewards`. */
const rewardConfig = z.object({ version: z.literal(2), by: z.literal('reward_model'), model: z.string() });
export type RewardConfig = z.infer<typeof rewardConfig>;

export const judgeConfig = z.discriminatedUnion('by', [teachersConfig, rewardConfig]);
export type JudgeConfig = z.infer<typeof judgeConfig>;
