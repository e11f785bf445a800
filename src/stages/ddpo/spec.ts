import * as z from 'zod';
import type { AifSpec } from '../aif/spec.ts';
import { decontaminate, maxDropped } from '../data-spec.ts';
import type { RecipeContext } from '../recipe-context.ts';
import { loraSpec, trainingFields } from '../training-spec.ts';
import { rewardSpec, rlSpec } from './rl-spec.ts';

const LOSSES = [
  'sigmoid',
  'hinge',
  'ipo',
  'robust',
  'exo_pair',
  'nca_pair',
  'bco_pair',
  'sppo_hard',
  'aot',
  'aot_unpaired',
  'apo_zero',
  'apo_down',
  'discopop',
  'sigmoid_norm',
] as const;

/** Fields of TRL's DPOConfig that preference_trainer.py refuses. */
const WITHOUT_PADDING = ['use_liger_kernel', 'pad_to_multiple_of'];

/** How the model learns from the pairs, and what a run that began before there was a choice took. */
export const METHODS = ['dpo', 'rloo', 'ppo'] as const;

export const ddpoSpec = z
  .strictObject({
    method: z
      .enum(METHODS)
      .default('dpo')
      .describe(
        'How the dSFT model learns from the pairs; dpo: directly, as Zephyr did. rloo, ppo: from a reward model of the pairs by reinforcement learning, what the article compares with; `train` then says what both methods have in common. PPO is the last one that TRL had, 1.12.0, frozen',
      ),
    prepare: z
      .strictObject({
        maxLength: z.int().positive().default(1024).describe('Tokens of prompt and answer together; v0.3: 1024'),
        maxPromptLength: z
          .int()
          .positive()
          .default(512)
          .describe(
            'Tokens of the prompt where prompt and answer exceed maxLength: it then loses its beginning, as in v0.3, but for the begin token; v0.3: 512',
          ),
        fraction: z
          .number()
          .positive()
          .max(1)
          .default(1)
          .describe('Share of the training pairs, chosen pair by pair by the seed; Zephyr: 1'),
        testRows: z
          .int()
          .positive()
          .nullable()
          .default(null)
          .describe('Held-out pairs at most, chosen by the seed; cut from the training pairs where there is no test split'),
        decontaminate: decontaminate('a pair', 'one pair'),
        maxDropped,
      })
      .refine(({ maxLength, maxPromptLength }) => maxPromptLength < maxLength, 'expected maxPromptLength to be below maxLength')
      .prefault({})
      .describe('Render, truncate and tokenise the pairs, once'),
    train: z
      .strictObject({
        beta: z
          .number()
          .positive()
          .describe('Weight of the distance to the reference model; the paper: 0.1 with 3 epochs, v0.3: 0.01 with 1'),
        lossType: z.enum(LOSSES).default('sigmoid').describe('Preference loss; v0.3 and the paper: sigmoid, which is DPO'),
        reference: z
          .enum(['cached', 'online'])
          .default('cached')
          .describe(
            "Where the dSFT model's log-probabilities of the pairs come from; cached: computed once, in a step of their own that runs with other beta, loss, rate and epochs use again. online: by a second model in memory, at each step, which costs less where few of the pairs are trained on",
          ),
        ...trainingFields,
      })
      .refine(({ trl }) => !WITHOUT_PADDING.some((field) => field in trl), {
        path: ['trl'],
        error: `expected ddpo.train.trl without ${WITHOUT_PADDING.join(' and ')}, which have no effect on rows without padding`,
      })
      .describe('Direct preference optimization; the reference is the dSFT model'),
    lora: loraSpec.optional(),
    reward: rewardSpec.optional(),
    rl: rlSpec.optional(),
  })
  .describe('Distilled direct preference optimization');

export type DdpoSpec = z.infer<typeof ddpoSpec>;

/** A recipe as far as the stage reads it. */
export type DdpoRecipe = RecipeContext & { readonly aif: AifSpec; readonly ddpo: DdpoSpec };
