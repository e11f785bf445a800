import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeLines } from '../../datasets/line-file.ts';
import { readRows } from '../../datasets/rows.ts';
import { meanOf } from '../../judging/verdict.ts';
import { BENCHMARKS_FILE, type EvaluationItem, evaluationItem, itemsFile, type ScoredBenchmark } from '../../model/evaluation.ts';

/** A benchmark before it is counted. */
export interface ScoredItems {
  /** its value is the mean of its items' scores */
  readonly benchmark: Pick<ScoredBenchmark, 'name' | 'title' | 'metric' | 'scale' | 'protocol' | 'notes'> &
    Partial<Pick<ScoredBenchmark, 'figures' | 'rejudged'>>;
  readonly items: readonly EvaluationItem[];
}

/** Writes a scored folder, see `EvalPart`: values, counts and groups are those of the items. */
export async function writeScored(out: string, scored: readonly ScoredItems[]): Promise<ScoredBenchmark[]> {
  const benchmarks = scored.map(({ benchmark, items }): ScoredBenchmark => {
    const ofGroups = Map.groupBy(
      items.filter(({ group }) => group !== undefined),
      ({ group }) => group as string,
    );
    const reasons = Map.groupBy(
      items.filter(({ score }) => score === null),
      ({ dropped }) => dropped ?? 'no score',
    );
    return {
      figures: {},
      ...benchmark,
      ...meanWithCount(items),
      standardError: null,
      dropped: Object.fromEntries([...reasons].map(([reason, found]) => [reason, found.length])),
      groups: Object.fromEntries([...ofGroups].map(([group, found]) => [group, meanWithCount(found)])),
    };
  });
  await mkdir(join(out, 'items'), { recursive: true });
  for (const { benchmark, items } of scored) await writeLines(join(out, itemsFile(benchmark.name)), items);
  await writeFile(join(out, BENCHMARKS_FILE), `${JSON.stringify({ version: 1, benchmarks }, undefined, 2)}\n`);
  return benchmarks;
}

function meanWithCount(items: readonly EvaluationItem[]): { value: number | null; n: number } {
  const scores = items.flatMap(({ score }) => score ?? []);
  return { value: meanOf(scores), n: scores.length };
}

/** A file of items, as `writeScored` and programs write it. */
export async function readItems(path: string): Promise<EvaluationItem[]> {
  const items: EvaluationItem[] = [];
  for await (const row of readRows(path)) items.push(evaluationItem.parse(row));
  return items;
}
