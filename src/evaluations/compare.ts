import type { Hub } from '../hub/hub.ts';
import { estimate, holm, type PairedEstimate, pairedEstimate } from '../judging/estimate.ts';
import { type JudgesReport, judgesReport } from '../judging/repeatability.ts';
import type { ClusterEstimate, Evaluation, EvaluationItem } from '../model/evaluation.ts';
import { measuredOtherwise, type Otherwise } from './protocol.ts';
import { type KeptEvaluation, readItems } from './read.ts';

type SideBenchmark = Evaluation['benchmarks'][number];

/** One side of a comparison: a model with its evaluations, the newest first, or one evaluation that was named. */
export interface Side {
  readonly label: string;
  readonly evaluations: readonly KeptEvaluation[];
}

/** What a benchmark says of one side. */
export interface SideValue {
  readonly benchmark: SideBenchmark;
  readonly from: KeptEvaluation;
  /** of the mean of its items, which is the value of most metrics */
  readonly estimate: ClusterEstimate | null;
  /** how far its judges agree, where judges scored it */
  readonly judges: JudgesReport | undefined;
}

interface SidePair {
  /** numbers of sides */
  readonly earlier: number;
  readonly later: number;
}

/** What `later` has more than `earlier`. */
export interface PairedDifference extends SidePair {
  readonly found: PairedEstimate & {
    /** `p` raised after Holm for all differences that are shown together */
    readonly adjusted: number;
  };
}

/** A difference, or why there is none: it was measured otherwise, or too few items (which share a cluster) are in common. */
export type SideDifference =
  | PairedDifference
  | (SidePair & { readonly otherwise: Otherwise })
  | (SidePair & { readonly common: number });

export interface BenchmarkComparison {
  readonly name: string;
  readonly title: string;
  readonly scale: readonly [number, number];
  /** by side; undefined where it has no such benchmark */
  readonly values: readonly (SideValue | undefined)[];
  readonly differences: readonly SideDifference[];
}

/** The p-value, adjusted, below which a difference is called one. */
export const LEVEL = 0.05;

/**
 * All benchmarks that any of the sides has, and of those that two have the difference of each later to each earlier one, over
 * the items that both were scored on. What was measured in different ways is shown and not subtracted. `pairs`: `last` for
 * the differences of the last side alone.
 */
export async function compareSides(
  hub: Hub,
  sides: readonly Side[],
  pairs: 'all' | 'last' = 'all',
): Promise<BenchmarkComparison[]> {
  const names = new Set(
    sides.flatMap((side) => side.evaluations.flatMap(({ evaluation }) => evaluation.benchmarks.map(({ name }) => name))),
  );
  const measured: BenchmarkComparison[] = [];
  for (const name of names) {
    const comparison = await compareOn(hub, sides, name);
    const isAsked = ({ later }: SideDifference) => pairs === 'all' || later === sides.length - 1;
    measured.push({ ...comparison, differences: comparison.differences.filter(isAsked) });
  }
  return adjusted(measured);
}

async function compareOn(hub: Hub, sides: readonly Side[], name: string): Promise<BenchmarkComparison> {
  const chosen = choose(sides, name);
  const items = await Promise.all(chosen.map(async (one) => (one === undefined ? [] : await readItems(hub, one.from, name))));
  const values = chosen.map(
    (one, index) =>
      one && {
        ...one,
        estimate: one.benchmark.estimate ?? estimate(items[index] ?? []),
        judges: judgesReport(items[index] ?? []),
      },
  );
  const differences = values.flatMap((later, at) =>
    values.slice(0, at).flatMap((earlier, before): SideDifference[] => {
      if (later === undefined || earlier === undefined) return [];
      const pair = { earlier: before, later: at };
      const otherwise = measuredOtherwise(earlier.benchmark, later.benchmark);
      if (otherwise !== undefined) return [{ ...pair, otherwise }];
      const [first, second] = [items[at] ?? [], items[before] ?? []];
      const found = pairedEstimate(first, second);
      return [
        found === null ? { ...pair, common: inCommon(first, second) } : { ...pair, found: { ...found, adjusted: found.p } },
      ];
    }),
  );
  const { title, scale } = (values.find((value) => value !== undefined) as SideValue).benchmark;
  return { name, title, scale, values, differences };
}

function inCommon(first: readonly EvaluationItem[], second: readonly EvaluationItem[]): number {
  const ids = new Set(second.flatMap(({ id, score }) => (score === null ? [] : [id])));
  return first.filter(({ id, score }) => score !== null && ids.has(id)).length;
}

/**
 * The evaluation of each side that a benchmark is taken from: the newest of the first side that has it such that all others
 * that have it were measured in the same way once, or the newest of each where there is none.
 */
function choose(sides: readonly Side[], name: string): (Pick<SideValue, 'benchmark' | 'from'> | undefined)[] {
  const all = sides.map(({ evaluations }) =>
    evaluations.flatMap((from) => {
      const benchmark = from.evaluation.benchmarks.find((one) => one.name === name);
      return benchmark === undefined ? [] : [{ benchmark, from }];
    }),
  );
  const having = all.filter((own) => own.length > 0);
  for (const { benchmark } of having[0] ?? []) {
    const alike = all.map((own) => own.find((one) => measuredOtherwise(benchmark, one.benchmark) === undefined));
    if (alike.filter((one) => one !== undefined).length === having.length) return alike;
  }
  return all.map(([newest]) => newest);
}

/** The p-values of all differences that are shown together, raised for being so many. */
function adjusted(comparisons: readonly BenchmarkComparison[]): BenchmarkComparison[] {
  const ps = comparisons.flatMap(({ differences }) => differences.flatMap((one) => ('found' in one ? [one.found.p] : [])));
  const raised = holm(ps).values();
  return comparisons.map((comparison) => ({
    ...comparison,
    differences: comparison.differences.map((one) =>
      'found' in one ? { ...one, found: { ...one.found, adjusted: raised.next().value as number } } : one,
    ),
  }));
}
