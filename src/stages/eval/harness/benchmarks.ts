/** A benchmark of lm-eval: the file of scripts/train/tasks of that name says how it is asked. */
export interface HarnessBenchmark {
  /** a dataset on the Hub at a commit; without one its rows are zephyr's own, in `rows` */
  readonly source?: string;
  /** the file of its rows beside the task file */
  readonly rows?: string;
  /** how a plan names it */
  readonly title: string;
}

/**
 * Commits are those that several public repositories pin, by which their numbers can be compared: ARC, HellaSwag and MMLU side by
 * side in released evaluation protocols, TruthfulQA and MMLU-Pro in tables of revisions taken from the Hub's API in 2026,
 * IFEval, GSM8K and IFBench in tables of pins of several harnesses (found by these digits in public code, 2026-12).
 */
export const BENCHMARKS = {
  'arc-challenge': { title: 'ARC-Challenge', source: 'hf://datasets/allenai/ai2_arc@210d026faf9955653af8916fad021475a3f00453' },
  hellaswag: { title: 'HellaSwag', source: 'hf://datasets/Rowan/hellaswag@218ec52e09a7e7462a5400043bb9a69a41d06b76' },
  mmlu: { title: 'MMLU', source: 'hf://datasets/cais/mmlu@c30699e8356da336a370243923dbaf21066bb9fe' },
  truthfulqa: { title: 'TruthfulQA', source: 'hf://datasets/truthfulqa/truthful_qa@741b8276f2d1982aa3d5b832d3ee81ed3b896490' },
  ifeval: { title: 'IFEval', source: 'hf://datasets/google/IFEval@966cd89545d6b6acfd7638bc708b98261ca58e84' },
  gsm8k: { title: 'GSM8K', source: 'hf://datasets/openai/gsm8k@740312add88f781978c0658806c59bc2815b9866' },
  'mmlu-pro': { title: 'MMLU-Pro', source: 'hf://datasets/TIGER-Lab/MMLU-Pro@b189ec765aa7ed75c8acfea42df31fdae71f97be' },
  'smoke-choice': { title: 'choices', rows: 'tasks/smoke-choice.jsonl' },
  'smoke-repeat': { title: 'one word', rows: 'tasks/smoke-repeat.jsonl' },
} as const satisfies Readonly<Record<string, HarnessBenchmark>>;

export type BenchmarkName = keyof typeof BENCHMARKS;
export const BENCHMARK_NAMES = Object.keys(BENCHMARKS) as readonly BenchmarkName[];
