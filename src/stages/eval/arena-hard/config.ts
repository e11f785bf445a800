import type { JudgeFields } from '../judges.ts';

/** Questions and public answers of Arena-Hard v2, Apache-2.0. */
export const DATA = 'hf://datasets/lmarena-ai/arena-hard-auto';
export const FOLDER = 'data/arena-hard-v2.0';

/** Whose public answers ours are compared with, by category (arena-hard-auto as of 2025-06-20). */
export const BASELINES = {
  hard_prompt: 'o3-mini-2025-01-31',
  creative_writing: 'gemini-2.0-flash-001',
} as const;
export type Category = keyof typeof BASELINES;

/** A strong verdict counts as three (arena-hard-auto, `show_result.py`). */
export const STRONG_WEIGHT = 3;

export type ArenaDataConfig = { readonly version: 1 };

export type PairsConfig = {
  readonly version: 1;
  readonly judges: readonly JudgeFields[];
  readonly repeats: number;
  readonly protocol: Readonly<Record<string, string | number>>;
};
