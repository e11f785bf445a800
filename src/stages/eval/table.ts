import * as z from 'zod';
import { type ClusterEstimate, clusterEstimate, scoredBenchmark } from '../../model/evaluation.ts';
import type { StageTable } from '../module.ts';

const row = scoredBenchmark
  .pick({ name: true, title: true, metric: true, scale: true, value: true, n: true, rejudged: true })
  .extend({
    estimate: clusterEstimate.nullable(),
    dropped: z.int().nonnegative(),
    /** items that were dropped, by the reason; those of earlier versions do not say it */
    why: scoredBenchmark.shape.dropped.optional(),
  });

/** What the manifest of an evaluation says of it, for the table. */
export const resultsMetrics = z.object({ suite: z.string(), benchmarks: z.array(row) });
export type ResultsMetrics = z.infer<typeof resultsMetrics>;

/** A value as people read it: a share in percent, any other in its own scale. */
export function formatValue(value: number | null, [least, greatest]: readonly [number, number]): string {
  if (value === null) return '-';
  return least === 0 && greatest === 1 ? `${(100 * value).toFixed(1)} %` : value.toFixed(2);
}

/** A 95 % interval. Where all items have one score nothing is known of how far others would lie, and drawing them again shows none. */
export function formatInterval(estimate: ClusterEstimate | null, scale: readonly [number, number]): string {
  if (estimate === null) return '';
  if (estimate.low === estimate.high) return 'all alike';
  return `[${formatValue(estimate.low, scale)}, ${formatValue(estimate.high, scale)}]`;
}

/** The benchmarks of an evaluation, each with what it is known to. */
export function resultsTable(metrics: unknown): StageTable {
  const { suite, benchmarks } = resultsMetrics.parse(metrics);
  const right = (title: string) => ({ title, align: 'right' as const });
  const rows = benchmarks.flatMap(({ title, metric, scale, value, estimate, n, dropped, rejudged = [] }) => {
    const measured = (of: Pick<z.infer<typeof row>, 'value' | 'estimate' | 'n'>) => [
      formatValue(of.value, scale),
      formatInterval(of.estimate, scale),
      String(of.n),
    ];
    return [
      [title, metric, ...measured({ value, estimate, n }), dropped === 0 ? '' : String(dropped)],
      ...rejudged.map((other) => [`  ${other.model}`, 'same judge', ...measured(other), '']),
    ];
  });
  const isDropped = benchmarks.some(({ dropped }) => dropped > 0);
  const shown = isDropped ? 6 : 5;
  return {
    above: `suite ${suite}`,
    columns: [{ title: 'benchmark' }, { title: 'metric' }, ...['value', '95 %', 'items', 'dropped'].map(right)].slice(0, shown),
    rows: rows.map((cells) => cells.slice(0, shown)),
    below: isDropped
      ? ['dropped: items without a score, in no value', ...benchmarks.flatMap(reasonsOf)].join('\n')
      : 'the protocol of each value is in evaluation.json of the artifact',
  };
}

function reasonsOf({ title, why = {} }: z.infer<typeof row>): string[] {
  return Object.entries(why).map(([reason, count]) => `  ${title}: ${count} for "${reason}"`);
}
