import type { JudgesReport } from '../judging/repeatability.ts';
import type { Column } from '../render/table.ts';
import { type BenchmarkComparison, LEVEL, type PairedDifference, type SideDifference } from './compare.ts';

interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
}

type ScoreScale = readonly [number, number];

const isShare = ([least, greatest]: ScoreScale): boolean => least === 0 && greatest === 1;

/** A value as people read it: a share in percent, any other in its own scale. */
export function valueText(value: number, scale: ScoreScale): string {
  return isShare(scale) ? `${(100 * value).toFixed(1)} %` : value.toFixed(2);
}

/** A difference of two values; of shares in points of percent. */
export function differenceText(difference: number, scale: ScoreScale): string {
  const text = isShare(scale) ? (100 * Math.abs(difference)).toFixed(1) : Math.abs(difference).toFixed(2);
  return /[1-9]/.test(text) ? `${difference < 0 ? '-' : '+'}${text}` : text;
}

export function pairText({ earlier, later }: SideDifference, labels: readonly string[]): string {
  return `${labels[later]} - ${labels[earlier]}`;
}

/** Each benchmark with the value of each side, and half of its 95 % interval. */
export function valuesTable(comparisons: readonly BenchmarkComparison[], labels: readonly string[]): Table {
  const rows = comparisons.map(({ title, scale, values }) => {
    const metrics = [...new Set(values.flatMap((one) => (one === undefined ? [] : [one.benchmark.metric])))];
    const cells = values.map((one) => {
      if (one === undefined || one.benchmark.value === null) return '-';
      const { benchmark, estimate } = one;
      const half =
        estimate === null || estimate.standardError === 0
          ? ''
          : ` ±${differenceText((estimate.high - estimate.low) / 2, scale).replace('+', '')}`;
      return `${valueText(benchmark.value as number, scale)}${half}`;
    });
    return [title, metrics.join(', '), ...cells];
  });
  return {
    columns: [{ title: 'benchmark' }, { title: 'metric' }, ...labels.map((title) => ({ title, align: 'right' as const }))],
    rows,
  };
}

/** Each difference that can be reckoned: with its interval, its p-value after Holm, and what so many items would have shown. */
export function differencesTable(comparisons: readonly BenchmarkComparison[], labels: readonly string[]): Table {
  const rows = comparisons.flatMap(({ title, scale, differences }) =>
    differences.flatMap((one) => ('found' in one ? [[title, pairText(one, labels), ...foundCells(one, scale, labels)]] : [])),
  );
  const right = (title: string): Column => ({ title, align: 'right' });
  return {
    columns: [
      { title: 'benchmark' },
      { title: 'pair' },
      right('difference [95 %]'),
      right('p'),
      right('items'),
      right('detects'),
      { title: 'better' },
    ],
    rows,
  };
}

function foundCells({ found, earlier, later }: PairedDifference, scale: ScoreScale, labels: readonly string[]): string[] {
  const { mean, low, high, adjusted, n, clusters, detectable, ties } = found;
  const [middle, from, to] = [mean, low, high].map((value) => differenceText(value, scale));
  const better = labels[mean > 0 ? later : earlier] as string;
  return [
    `${middle} [${from}, ${to}]`,
    adjusted < 0.001 ? '<0.001' : adjusted.toFixed(3),
    n === clusters ? String(n) : `${n} in ${clusters}`,
    ties === n ? '-' : differenceText(detectable, scale).replace('+', ''),
    ties === n ? 'alike' : adjusted < LEVEL ? better : '-',
  ];
}

/** Why differences are not reckoned, each a sentence without its full stop. */
export function notCompared(comparisons: readonly BenchmarkComparison[], labels: readonly string[]): string[] {
  return comparisons.flatMap(({ title, differences }) =>
    differences.flatMap((one) => {
      if ('found' in one) return [];
      const pair = `${title}, ${pairText(one, labels)}`;
      if ('common' in one)
        return [`${pair}: ${one.common} ${one.common === 1 ? 'item' : 'items'} in common, too few for an error`];
      const { field, values } = one.otherwise;
      return [`${pair}: ${field} is ${values[1]} for ${labels[one.later]} and ${values[0]} for ${labels[one.earlier]}`];
    }),
  );
}

/** A value that its items do not average to, such as a length-controlled win rate, differs by less than rounding otherwise. */
const SAME = 1e-6;

/** What a reader of the tables must know beside them, each a sentence without its full stop. */
export function beside(comparisons: readonly BenchmarkComparison[], labels: readonly string[]): string[] {
  return comparisons.flatMap(({ title, scale, values, differences }) => [
    ...values.flatMap((one, side) =>
      one?.judges === undefined ? [] : judgesText(one.judges, scale).map((text) => `${title}, ${labels[side]}: ${text}`),
    ),
    ...differences.flatMap((one) => {
      if (!('found' in one)) return [];
      const { onlyFirst, onlySecond } = one.found;
      const alone = [
        ...(onlyFirst > 0 ? [`${onlyFirst} for ${labels[one.later]}`] : []),
        ...(onlySecond > 0 ? [`${onlySecond} for ${labels[one.earlier]}`] : []),
      ];
      return alone.length === 0
        ? []
        : [`${title}, ${pairText(one, labels)}: items scored on one side alone are left out: ${alone.join(', ')}`];
    }),
    ...(values.some(
      (one) => one?.estimate != null && one.benchmark.value !== null && Math.abs(one.estimate.mean - one.benchmark.value) > SAME,
    )
      ? [`${title}: the value is not the mean of its items; intervals and differences are those of the items`]
      : []),
  ]);
}

/** How far each judge agrees with itself and all of them with one another. */
function judgesText({ judges, alpha }: JudgesReport, scale: ScoreScale): string[] {
  const repeated = judges.flatMap(({ judge, passes, spread, same }) =>
    spread === null || same === null
      ? []
      : [
          `${judge}, asked ${passes.length} times, means ${differenceText(spread, scale).replace('+', '')} apart, ${(100 * same).toFixed(0)} % of the items the same each time`,
        ],
  );
  const panel = `${judges.map(({ judge }) => judge).join(', ')} agree to a Krippendorff alpha of ${alpha?.toFixed(2)}`;
  return alpha === null ? repeated : [...repeated, panel];
}
