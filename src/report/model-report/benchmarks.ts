import { measuredOtherwise } from '../../evaluations/protocol.ts';
import { estimate, type PairedEstimate, pairedEstimate } from '../../judging/estimate.ts';
import type { ClusterEstimate, Evaluation, EvaluationItem } from '../../model/evaluation.ts';
import { modelOf, nameOf, type ReportEvaluation, type ReportFacts } from './facts.ts';
import type { PlottedValue } from './plots.ts';

type PublishedBenchmark = Evaluation['benchmarks'][number];

/** A benchmark of one model. */
export interface Measured {
  /** name of the model's repo */
  readonly model: string;
  readonly isMain: boolean;
  /** ID of the evaluation */
  readonly id: string;
  readonly benchmark: PublishedBenchmark;
  readonly items: readonly EvaluationItem[];
}

/** A benchmark with what each model of the lineage has there, in the order of the lineage. */
export interface MeasuredBenchmark {
  readonly name: string;
  readonly title: string;
  readonly metric: string;
  readonly scale: readonly [number, number];
  readonly models: readonly Measured[];
}

/** What the model gains over one that it was made from, or why the two are not to be compared. */
export interface Gain {
  readonly title: string;
  readonly scale: readonly [number, number];
  readonly over: string;
  readonly paired: PairedEstimate | null;
  /** the first field in which they were measured otherwise */
  readonly differs: string | undefined;
}

/** Benchmarks of all evaluations; of two that measure the same of one model the first counts. */
export function measuredBenchmarks(facts: Pick<ReportFacts, 'artifacts' | 'evaluations'>): MeasuredBenchmark[] {
  const main = modelOf(facts);
  const all = facts.artifacts.flatMap((artifact) => {
    const own = facts.evaluations.filter(({ of }) => of === artifact.id);
    const measured = own.flatMap((each) => measuredBy(each, nameOf(artifact), artifact === main));
    return [...new Map(measured.toReversed().map((each) => [each.benchmark.name, each])).values()].reverse();
  });
  return [...Map.groupBy(all, ({ benchmark }) => benchmark.name)].map(([name, models]) => {
    const { title, metric, scale } = (models.at(-1) as Measured).benchmark;
    return { name, title, metric, scale, models };
  });
}

function measuredBy({ id, evaluation, items }: ReportEvaluation, model: string, isMain: boolean): Measured[] {
  return evaluation.benchmarks.map((benchmark) => ({ model, isMain, id, benchmark, items: items[benchmark.name] ?? [] }));
}

/** What the model gains over each other one of the lineage, item by item. */
export function gainsOf(benchmarks: readonly MeasuredBenchmark[]): Gain[] {
  return benchmarks.flatMap(({ title, scale, models }) => {
    const own = models.find(({ isMain }) => isMain);
    if (own === undefined) return [];
    return models.flatMap((other) => {
      if (other === own) return [];
      const differs = measuredOtherwise(own.benchmark, other.benchmark)?.field;
      const paired = differs === undefined ? pairedEstimate(own.items, other.items) : null;
      return [{ title, scale, over: other.model, paired, differs }];
    });
  });
}

/** The value with its interval, in percent where it is a share. */
export function intervalOf({ value, estimate: known, scale }: Measured['benchmark']): PlottedValue | null {
  return plotted(value, known, factorOf(scale));
}

/** The same by category, over the clusters of its items. */
export function groupIntervals({ benchmark, items }: Measured): Record<string, PlottedValue | null> {
  const members = Map.groupBy(items, ({ group }) => group ?? '');
  return Object.fromEntries(
    Object.entries(benchmark.groups).map(([name, { value }]) => [
      name,
      plotted(value, estimate(members.get(name) ?? []), factorOf(benchmark.scale)),
    ]),
  );
}

/** Items that all scored alike say nothing of how far others would lie: such a value has no interval. */
export function plotted(value: number | null, known: ClusterEstimate | null, factor: number): PlottedValue | null {
  if (value === null) return null;
  return isKnown(known) ? [factor * value, factor * known.low, factor * known.high] : [factor * value, null, null];
}

const isKnown = (known: ClusterEstimate | null): known is ClusterEstimate => known !== null && known.low < known.high;

/** From where to where the value would lie in 95 of 100 repetitions, in words. */
export function betweenText(known: ClusterEstimate | null, text: (value: number) => string): string {
  if (known === null) return '';
  return isKnown(known) ? `${text(known.low)} to ${text(known.high)}` : 'all alike';
}

const isShare = ([low, high]: readonly [number, number]): boolean => low >= -1 && high === 1;
export const factorOf = (scale: readonly [number, number]): number => (isShare(scale) ? 100 : 1);
export const unitOf = (scale: readonly [number, number]): string => (isShare(scale) ? ' %' : '');

/** A value in the scale of its screen: one digit of a percentage, two of a mark. */
export function measuredText(value: number, scale: readonly [number, number]): string {
  return isShare(scale) ? `${(100 * value).toFixed(1)} %` : value.toFixed(2);
}

/** A difference with its sign; that of two shares is in percentage points. */
export function signedText(value: number, scale: readonly [number, number]): string {
  const text = isShare(scale) ? `${(100 * value).toFixed(1)} points` : value.toFixed(2);
  return value > 0 ? `+${text}` : text.replace('-', '\u2212');
}

/** The benchmarks of the model that stand at the top of a report. */
const HEADLINES = 3;

export function headlines(facts: ReportFacts): { name: string; value: string; note?: string }[] {
  const own = measuredBenchmarks(facts).flatMap(({ models }) => models.filter(({ isMain }) => isMain));
  return own.slice(0, HEADLINES).flatMap(({ benchmark: { title, value, scale, estimate: known } }) => {
    if (value === null) return [];
    const note = betweenText(known, (each) => measuredText(each, scale));
    return [{ name: title, value: measuredText(value, scale), ...(note === '' ? {} : { note }) }];
  });
}
