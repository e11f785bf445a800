import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { datasetCard, markdownTable } from '../../datasets/card.ts';
import { writeLines } from '../../datasets/line-file.ts';
import { estimate } from '../../judging/estimate.ts';
import { formatRef } from '../../model/artifact.ts';
import {
  BENCHMARKS_FILE,
  EVALUATION_FILE,
  type Evaluation,
  type EvaluationItem,
  evaluation,
  itemsFile,
  type ScoredBenchmark,
  scoredBenchmarks,
} from '../../model/evaluation.ts';
import type { Task } from '../stage.ts';
import { withIntervals } from './rejudged.ts';
import { readItems } from './scored.ts';
import type { ResultsConfig } from './steps.ts';
import { formatInterval, formatValue, type ResultsMetrics } from './table.ts';

/**
 * Joins the scored folders of the parts, its inputs but for `model`: writes `evaluation.json`, the items of each benchmark and a
 * card. Values are the parts' own, intervals are reckoned here, for all in the same way. Throws where a folder is not what
 * it says: a part that counts otherwise than its items would make comparisons wrong without a word.
 */
export const results: Task = async (context) => {
  const { suite } = context.config as ResultsConfig;
  const model = context.artifacts.model;
  if (model === undefined) throw new Error('Cannot say what was evaluated: the step was planned without its model');
  const parts = await Promise.all(Object.entries(context.inputs).map(async ([part, folder]) => await readPart(part, folder)));
  const scored = parts.flat();
  const twice = scored.find(({ benchmark }, index) => scored.findIndex((one) => one.benchmark.name === benchmark.name) !== index);
  if (twice !== undefined) throw new Error(`Cannot join the parts: two of them score "${twice.benchmark.name}"`);
  const found: Evaluation = evaluation.parse({
    version: 1,
    suite,
    model: { ...model.ref, digest: model.digest },
    benchmarks: scored.map(({ benchmark, items }) => ({ ...benchmark, estimate: estimate(items) })),
  });
  await mkdir(join(context.out, 'items'), { recursive: true });
  for (const { benchmark, items } of scored) await writeLines(join(context.out, itemsFile(benchmark.name)), items);
  await writeFile(join(context.out, EVALUATION_FILE), `${JSON.stringify(found, undefined, 2)}\n`);
  await writeFile(join(context.out, 'README.md'), cardOf(found));
  return { metrics: z.record(z.string(), z.json()).parse(metricsOf(found)), costUsd: 0 };
};

interface PartResult {
  readonly benchmark: ScoredBenchmark;
  readonly items: readonly EvaluationItem[];
}

async function readPart(part: string, folder: string): Promise<PartResult[]> {
  const text = await readFile(join(folder, BENCHMARKS_FILE), 'utf8');
  const { benchmarks } = scoredBenchmarks.parse(JSON.parse(text));
  return await Promise.all(
    benchmarks.map(async (benchmark) => {
      const items = await readItems(join(folder, itemsFile(benchmark.name)));
      checkItems(part, benchmark, items);
      return { benchmark: await withIntervals(folder, benchmark, items), items };
    }),
  );
}

function checkItems(
  part: string,
  { name, n, dropped, scale: [least, greatest] }: ScoredBenchmark,
  items: readonly EvaluationItem[],
): void {
  const what = `Cannot take "${name}" of part ${part}`;
  const scores = items.flatMap(({ score }) => score ?? []);
  if (scores.length !== n) throw new Error(`${what}: it counts ${n} items with a score, its file holds ${scores.length}`);
  const left = Object.values(dropped).reduce((sum, count) => sum + count, 0);
  if (items.length - n !== left)
    throw new Error(`${what}: it counts ${left} items without a score, its file holds ${items.length - n}`);
  if (new Set(items.map(({ id }) => id)).size !== items.length) throw new Error(`${what}: two of its items have the same id`);
  const outside = scores.find((score) => score < least || score > greatest);
  if (outside !== undefined) throw new Error(`${what}: a score of ${outside} is outside of [${least}, ${greatest}]`);
}

function metricsOf({ suite, benchmarks }: Evaluation): ResultsMetrics {
  return {
    suite,
    benchmarks: benchmarks.map(({ name, title, metric, scale, value, n, estimate, dropped, rejudged }) => {
      const count = Object.values(dropped).reduce((sum, each) => sum + each, 0);
      const others = rejudged === undefined ? {} : { rejudged };
      const why = count === 0 ? {} : { why: dropped };
      return { name, title, metric, scale, value, n, estimate, dropped: count, ...why, ...others };
    }),
  };
}

function cardOf({ suite, model, benchmarks }: Evaluation): string {
  const rows = benchmarks.map(({ title, metric, value, scale, n, estimate }) => {
    const interval = formatInterval(estimate, scale);
    return [title, metric, formatValue(value, scale), interval, n];
  });
  const protocols = benchmarks.map(({ title, protocol, notes }) => {
    const lines = Object.entries(protocol).map(
      ([name, value]) => `- ${name}: \`${typeof value === 'string' ? value : JSON.stringify(value)}\``,
    );
    return [`## ${title}`, '', ...lines, ...notes.flatMap((note) => ['', note]), ''].join('\n');
  });
  const files = Object.fromEntries(benchmarks.map(({ name }) => [name, { test: itemsFile(name) }]));
  const about = `${formatRef(model)} on the suite ${suite} of zephyr.`;
  const table = markdownTable(['benchmark', 'metric', 'value', '95 % interval', 'items'], rows);
  return datasetCard('Evaluation', `${about}\n\n${table}\n\n${protocols.join('\n')}`, files);
}
