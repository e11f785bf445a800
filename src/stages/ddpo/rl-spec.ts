import * as z from 'zod';
import { trainingFields } from '../training-spec.ts';

const { maxSteps } = trainingFields;
const learningRate = trainingFields.learningRate.meta({ description: undefined });
const epochs = trainingFields.epochs.meta({ description: undefined });
const globalBatch = trainingFields.globalBatch.meta({ description: undefined });

/** What the reward model is trained by; all else is as in `train`. */
export const rewardSpec = z
  .strictObject({
    learningRate: learningRate.default(1e-5).describe('Peak learning rate; Llama 2: 1e-5 for its reward models up to 34B'),
    epochs: epochs.default(1).describe('Passes over the training pairs; Llama 2: 1, as more overfit'),
    maxSteps,
    globalBatch: globalBatch.default(128).describe('Pairs of one optimizer step over all devices; as dDPO by v0.3: 128'),
  })
  .describe('A reward model of the pairs, from the dSFT model; only with method rloo or ppo');

/** What the policy learns by from the reward model; all else is as in `train`. */
export const rlSpec = z
  .strictObject({
    learningRate: learningRate.default(1e-6).describe('Peak learning rate; TRL and Ahmadian et al. 2024: 1e-6'),
    epochs: epochs.default(1).describe('Passes over the prompts of the pairs'),
    maxSteps,
    globalBatch: globalBatch
      .default(512)
      .describe('Answers of one optimizer step over all devices, a multiple of `generations`; Ahmadian et al. 2024: 512'),
    beta: z
      .number()
      .nonnegative()
      .default(0.05)
      .describe('Weight of the distance to the dSFT model in the reward; TRL: 0.05. 0 holds the policy to nothing'),
    generations: z
      .int()
      .min(2)
      .default(4)
      .describe('Answers to a prompt, each compared with the mean of the others; Ahmadian et al. 2024: 2 and 4. PPO takes one'),
    maxNewTokens: z
      .int()
      .positive()
      .default(512)
      .describe('Tokens of an answer; one that has not ended by then counts for nothing. TRL: 512'),
    temperature: z.number().positive().default(1).describe('Sampling temperature; TRL: 1'),
  })
  .refine(({ globalBatch: batch, generations }) => batch % generations === 0, {
    path: ['globalBatch'],
    error: 'expected a multiple of ddpo.rl.generations',
  })
  .describe('Reinforcement learning from the reward model, from the dSFT model; only with method rloo or ppo');

export type RewardSpec = z.infer<typeof rewardSpec>;
export type RlSpec = z.infer<typeof rlSpec>;
