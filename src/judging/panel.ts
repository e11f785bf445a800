import * as z from 'zod';
import { callFields } from '../calls/call-config.ts';

interface JudgeMode {
  /** for the help of a recipe */
  readonly about: string;
  /** how it judges, for the summary of a step that rates */
  readonly how: string;
  /** `judge-NAME.md`, which ends the instructions; `form` follows an aspect's own without a heading */
  readonly template: string;
  /** what a request about all aspects together is called; without it a request is about one aspect, and called like it */
  readonly together?: string;
  /** All answers of a prompt stand in one request, so that they may be no more than there are labels. */
  readonly sideBySide?: true;
}

const MODES = {
  per_aspect: {
    about: 'all answers of a prompt side by side, a call an aspect (UltraFeedback)',
    how: '',
    template: 'form',
    sideBySide: true,
  },
  joint: {
    about: 'all aspects in one call, a quarter of the price, with halo effects',
    how: ' at once',
    template: 'joint',
    together: 'joint',
    sideBySide: true,
  },
  pairwise: { about: 'two answers a call, which is better', how: '', template: 'pairwise', together: 'comparison' },
  expected: {
    about: 'each answer alone, the rating expected from the log-probabilities of its digit (ActiveUltraFeedback)',
    how: ' by log-probabilities',
    template: 'expected',
  },
} as const satisfies Readonly<Record<string, JudgeMode>>;

type ModeName = keyof typeof MODES;
/** The ways in which teachers may judge, but for their requests and the count of these. */
export const JUDGE_MODES: Readonly<Record<ModeName, JudgeMode>> = MODES;
export const MODE_NAMES = Object.keys(MODES) as [ModeName, ...ModeName[]];

/** Which judges are asked about what, and how: all of a step's config that shapes the requests to them. */
export const judgePanel = z.object({
  seed: z.int(),
  judges: z.array(callFields).min(1),
  fallback: callFields.nullable(),
  mode: z.enum(MODE_NAMES),
  aspects: z.array(z.string()),
  overall: z.boolean(),
  permutations: z.int().min(1).max(4),
  pairs_per_prompt: z.int().positive(),
  min_mass: z.number(),
});
export type JudgePanel = z.infer<typeof judgePanel>;
