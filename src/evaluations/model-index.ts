import { type Document, stringify } from 'yaml';
import * as z from 'zod';
import { markdownTable } from '../datasets/card.ts';
import { formatRef, parseRef } from '../model/artifact.ts';
import type { Evaluation } from '../model/evaluation.ts';
import type { KeptEvaluation } from './read.ts';
import { valueText } from './wording.ts';

/** The sections of a model's README that zephyr writes. */
export const CARD_SECTION = 'card';
export const RESULTS_SECTION = 'evaluation';

/** Benchmarks that the Hub keeps a table of, by the repo of their data: the task in its `eval.yaml`, and how many items that has. */
const REGISTERED: Readonly<Record<string, { readonly task: string; readonly items: number }>> = {
  'openai/gsm8k': { task: 'gsm8k', items: 1319 },
  'TIGER-Lab/MMLU-Pro': { task: 'mmlu_pro', items: 12_032 },
};

type ToldBenchmark = Evaluation['benchmarks'][number];

const ourMetric = z.looseObject({ args: z.looseObject({ evaluation: z.string() }) });
const results = z.looseObject({ results: z.array(z.looseObject({ metrics: z.array(z.unknown()) })) });

const isShare = ({ scale: [least, greatest] }: ToldBenchmark): boolean => least === 0 && greatest === 1;

const published = (benchmark: ToldBenchmark, value: number): number =>
  Number((isShare(benchmark) ? 100 * value : value).toFixed(4));

const dataOf = ({ protocol: { data } }: ToldBenchmark) => (typeof data === 'string' ? parseRef(data) : undefined);

/** Takes the entries that zephyr made out of `model-index`, and leaves those of others. */
export function withoutResults(head: Document): void {
  const index = (head.toJS() as Record<string, unknown>)['model-index'];
  if (!Array.isArray(index)) return;
  const kept = index.map(theirsOf).filter((entry) => entry !== undefined);
  if (kept.length === 0) head.delete('model-index');
  else head.set('model-index', kept);
}

function theirsOf(entry: unknown): unknown {
  const read = results.safeParse(entry).data;
  if (read === undefined) return entry;
  const theirs = read.results
    .map((result) => ({ ...result, metrics: result.metrics.filter((metric) => !ourMetric.safeParse(metric).success) }))
    .filter((result, index) => result.metrics.length > 0 || read.results[index]?.metrics.length === 0);
  return theirs.length === 0 && read.results.length > 0 ? undefined : { ...read, results: theirs };
}

/** Puts the values of evaluations into `model-index`, in place of those that zephyr put there before. */
export function setResults(head: Document, model: string, evaluations: readonly KeptEvaluation[]): void {
  withoutResults(head);
  const ours = evaluations.flatMap((kept) => kept.evaluation.benchmarks.flatMap((one) => resultOf(kept, one)));
  const index = ((head.toJS() as Record<string, unknown>)['model-index'] ?? []) as { name?: unknown; results?: unknown[] }[];
  const [first, ...others] = Array.isArray(index) ? index : [];
  head.set('model-index', [{ ...first, name: first?.name ?? model, results: [...(first?.results ?? []), ...ours] }, ...others]);
}

function resultOf({ ref, evaluation }: KeptEvaluation, benchmark: ToldBenchmark): object[] {
  const { name, title, metric, value, n } = benchmark;
  if (value === null) return [];
  const data = dataOf(benchmark);
  const named = isShare(benchmark) ? `${metric} (percent)` : metric;
  const args = { evaluation: formatRef(ref), suite: evaluation.suite, items: n };
  return [
    {
      task: { type: 'text-generation' },
      dataset: { type: data?.name ?? name, name: title, ...(data === undefined ? {} : { revision: data.revision }) },
      metrics: [{ type: metric, value: published(benchmark, value), name: named, args }],
      source: { name: 'zephyr', url: pageOf(ref.name) },
    },
  ];
}

const pageOf = (dataset: string): string => `https://huggingface.co/datasets/${dataset}`;

/** The values with their intervals, for people. */
export function resultsText(evaluations: readonly KeptEvaluation[]): string {
  const rows = evaluations.flatMap(({ ref, evaluation: { benchmarks } }) =>
    benchmarks.map(({ title, metric, value, scale, estimate, n }) => [
      title,
      metric,
      value === null ? '-' : valueText(value, scale),
      estimate === null ? '' : `[${valueText(estimate.low, scale)}, ${valueText(estimate.high, scale)}]`,
      n,
      `\`${formatRef(ref)}\``,
    ]),
  );
  return `## Evaluation\n\nThe protocol of each value, and every item, are in the evaluation. Intervals are of 95 %.\n\n${markdownTable(['benchmark', 'metric', 'value', '95 %', 'items', 'evaluation'], rows)}`;
}

/** The files of `.eval_results/`, by path, for benchmarks that the Hub keeps a table of. Parts of a benchmark are no result of it. */
export function resultFiles(evaluations: readonly KeptEvaluation[]): Map<string, string> {
  const files = new Map<string, string>();
  for (const { ref, createdAt, evaluation } of evaluations)
    for (const benchmark of evaluation.benchmarks) {
      const data = dataOf(benchmark);
      const task = data === undefined ? undefined : REGISTERED[data.name];
      const path = `.eval_results/zephyr-${benchmark.name}.yaml`;
      if (data === undefined || task?.items !== benchmark.n || benchmark.value === null || files.has(path)) continue;
      const entry = {
        dataset: { id: data.name, task_id: task.task, revision: data.revision },
        value: published(benchmark, benchmark.value),
        ...(createdAt === '' ? {} : { date: createdAt.slice(0, 10) }),
        source: { url: pageOf(ref.name), name: formatRef(ref) },
        notes: `${benchmark.metric} in percent over ${benchmark.n} items, by zephyr; the protocol is in ${ref.name}`,
      };
      // without the quotes a reader of YAML 1.1 takes the date for a time
      const dated = stringify([entry], { lineWidth: 0 }).replace(/^( *date: )([\d-]+)$/m, '$1"$2"');
      files.set(path, dated);
    }
  return files;
}
