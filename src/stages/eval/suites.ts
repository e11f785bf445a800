import { alpacaEval } from './alpaca-eval/part.ts';
import { harness } from './harness/part.ts';
import { ifbench } from './ifbench/part.ts';
import { mtBench } from './mt-bench/part.ts';
import type { EvalPart } from './part.ts';
import { refusals } from './refusals/part.ts';

export const SUITE_NAMES = ['smoke', 'paper', 'modern'] as const;
export type SuiteName = (typeof SUITE_NAMES)[number];

/** A part of a suite, with the settings in which it differs there from the part's own defaults. */
export interface SuitePart {
  readonly part: EvalPart<unknown>;
  readonly settings: Readonly<Record<string, unknown>>;
}

/**
 * The parts of each suite. `smoke`: seconds on a CPU, prompts that fit 256 tokens, no judge; `paper`: what ZEPHYR-7B was
 * reported on; `modern`: what is asked of a chat model since.
 */
export const SUITES: Readonly<Record<SuiteName, readonly SuitePart[]>> = {
  smoke: [
    suitePart(harness, { benchmarks: ['smoke-choice', 'smoke-repeat'] }),
    suitePart(refusals, { prompts: 'few', maxTokens: 48 }),
  ],
  paper: [suitePart(harness), suitePart(mtBench), suitePart(alpacaEval)],
  modern: [
    suitePart(harness, { benchmarks: ['ifeval', 'gsm8k', 'mmlu-pro'] }),
    suitePart(ifbench),
    suitePart(alpacaEval, { versions: [2] }),
    suitePart(refusals),
  ],
};

function suitePart<Settings>(part: EvalPart<Settings>, settings: Partial<Settings> = {}): SuitePart {
  return { part: part as EvalPart<unknown>, settings };
}
