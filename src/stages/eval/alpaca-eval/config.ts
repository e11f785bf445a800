import type { JudgeFields } from '../judges.ts';

/** The data set of AlpacaEval: instructions, both baselines, and what length control needs. CC BY-NC 4.0. */
export const DATA = 'hf://datasets/tatsu-lab/alpaca_eval';

/** 1: a ranking against text_davinci_003; 2: probabilities of two tokens against gpt4_1106_preview. */
export type Version = 1 | 2;

/**
 * How the annotators of alpaca_eval 0.6.6 sample (`alpaca_eval_gpt4`, `weighted_alpaca_eval_gpt4_turbo`); version 2 reads what
 * else the first token could have been.
 */
export const SAMPLING = {
  1: { temperature: 0, topP: 1, maxTokens: 100 },
  2: { temperature: 1, topP: 1, maxTokens: 1 },
} as const;
export const TOP_LOGPROBS = 5;

export type InstructionsConfig = { readonly version: 1 };

export type ChoiceConfig = {
  readonly version: 1;
  readonly repeats: number;
  readonly judges: { readonly [version: string]: readonly JudgeFields[] };
};
