import * as z from 'zod';
import { type Mistake, mistakeAt } from '../../mistake.ts';
import { jobStep } from '../../programs.ts';
import { datasetText, inputOf, renderingOf } from '../../recipe-context.ts';
import type { EvalPart } from '../part.ts';
import { BENCHMARK_NAMES, BENCHMARKS, type BenchmarkName, type HarnessBenchmark } from './benchmarks.ts';

const settings = z.strictObject({
  benchmarks: z.array(z.enum(BENCHMARK_NAMES)).min(1).describe('Benchmarks of lm-eval, all scored in one job'),
  data: z
    .partialRecord(z.enum(BENCHMARK_NAMES), datasetText)
    .describe("Other datasets to read a benchmark's rows from, with the same columns: a mirror, or one imported here"),
  limit: z.int().positive().nullable().describe('The first rows of each of its tasks alone; null: all of them'),
  subjects: z
    .array(z.string())
    .min(1)
    .nullable()
    .describe('Of benchmarks with subjects (MMLU, MMLU-Pro) these alone, such as anatomy; null: all of them'),
});
type HarnessSettings = z.infer<typeof settings>;

const defaults: HarnessSettings = {
  benchmarks: ['arc-challenge', 'hellaswag', 'mmlu', 'truthfulqa'],
  data: {},
  limit: null,
  subjects: null,
};

/** Benchmarks whose tasks are one a subject. */
const WITH_SUBJECTS: readonly BenchmarkName[] = ['mmlu', 'mmlu-pro'];

/** One job, `harness`: lm-eval's own prompts and metrics, on rows that zephyr brings and verifies. */
export const harness = {
  name: 'harness',
  settings,
  defaults,
  check: (_context, { benchmarks, data }) => checkData(benchmarks, data),
  steps(context, { benchmarks, data, limit, subjects }) {
    const { recipe, model, batchSize, repo } = context;
    const named = benchmarks.map((name) => ({ name, ...sourceOf(name, data) }));
    const inputs = named.flatMap(({ name, source }) => (source === undefined ? [] : [[name, inputOf(source)] as const]));
    const step = jobStep('harness', {
      stage: 'eval',
      name: 'harness',
      summary: `lm-eval: ${benchmarks.map((name) => BENCHMARKS[name].title).join(', ')}${limit === null ? '' : `, ${limit} rows of each task`}`,
      inputs: { model, ...Object.fromEntries(inputs) },
      config: {
        ...renderingOf(recipe),
        batch_size: batchSize,
        benchmarks: named.map(({ name, source }) => ({
          name,
          data: source === undefined ? null : name,
          source: source ?? null,
          limit,
          subjects: WITH_SUBJECTS.includes(name) ? subjects : null,
        })),
      },
      output: repo('harness'),
    });
    return [{ ...step, files: [...step.files, ...named.flatMap(({ name, rows }) => [`tasks/${name}.yaml`, ...(rows ?? [])])] }];
  },
  tasks: {},
} satisfies EvalPart<HarnessSettings>;

function sourceOf(name: BenchmarkName, data: HarnessSettings['data']): { source?: string; rows?: readonly string[] } {
  const { source: pinned, rows }: HarnessBenchmark = BENCHMARKS[name];
  const source = data[name] ?? pinned;
  return { ...(source === undefined ? {} : { source }), ...(rows === undefined ? {} : { rows: [rows] }) };
}

function checkData(benchmarks: readonly BenchmarkName[], data: HarnessSettings['data']): (Mistake | undefined)[] {
  return Object.keys(data).map((name) => {
    const { source }: HarnessBenchmark = BENCHMARKS[name as BenchmarkName];
    if (source === undefined)
      return mistakeAt(['eval', 'harness', 'data', name], 'has rows of its own, expected no dataset for it');
    if (benchmarks.includes(name as BenchmarkName)) return undefined;
    return mistakeAt(['eval', 'harness', 'data', name], `is not among the benchmarks: ${benchmarks.join(', ')}`);
  });
}
