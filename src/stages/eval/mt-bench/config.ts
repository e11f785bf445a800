import type { JudgeFields } from '../judges.ts';

/** The scale of a grade. */
export const SCALE: readonly [number, number] = [1, 10];

/** Where the data come from, below the address of a source, with what they hash to: FastChat as of 2025-04-12, Apache-2.0. */
export const SOURCE =
  'https://raw.githubusercontent.com/lm-sys/FastChat/0e6d3e4beaab66f4d3f93db72541a4abab8af28d/fastchat/llm_judge/data';

export const DATA_FILES = {
  questions: {
    path: 'mt_bench/question.jsonl',
    sha256: '119565adbab82227089cefdb44c8d7e2cf04dc0a0ec233634c82e7d4e2a944f7',
  },
  prompts: { path: 'judge_prompts.jsonl', sha256: 'fd283293406d024f44c174b094ef48031d0687a4682fd3a56b29b138f80281b6' },
  original: {
    path: 'mt_bench/reference_answer/gpt-4.jsonl',
    sha256: 'f957a5bc977badb66885ec970e6cd08527845780313f0995764260e5777b9b3f',
  },
  corrected: {
    path: 'mt_bench/reference_answer/gpt-4-0125-preview.jsonl',
    sha256: 'e484037da5cc14007dde1d821ef76046fccbd0b2f095237fad9ead2c4fc66800',
  },
} as const;

export type References = 'original' | 'corrected';

/** Answers are drawn at the temperature of their category (FastChat, `llm_judge/common.py`). */
export const TEMPERATURES: Readonly<Record<string, number>> = {
  writing: 0.7,
  roleplay: 0.7,
  extraction: 0,
  math: 0,
  coding: 0,
  reasoning: 0,
  stem: 0.1,
  humanities: 0.1,
};

/** Categories whose answers the judge compares with a reference. */
export const WITH_REFERENCE: ReadonlySet<string> = new Set(['math', 'reasoning', 'coding']);

/** A model whose public answers are judged beside ours, and the file of them. */
export type Rejudged = { readonly model: string; readonly answers: string };

export type DataConfig = {
  readonly version: 1;
  readonly source: string;
  readonly references: References;
};

export type RejudgeConfig = { readonly version: 1; readonly rejudge: readonly Rejudged[] };

export type GradeConfig = {
  readonly version: 1;
  readonly judges: readonly JudgeFields[];
  readonly repeats: number;
  readonly rejudge?: readonly Rejudged[];
  readonly protocol: Readonly<Record<string, string | number>>;
};
