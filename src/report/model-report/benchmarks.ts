import { canonicalJson } from '../../base/canonical-json.ts';
import { estimate, type PairedEstimate, pairedEstimate } from '../../judging/estimate.ts';
import type { Evaluation, EvaluationItem } from '../../model/evaluation.ts';
import { nameOf, type ReportEvaluation, type ReportFacts } from './facts.ts';
import type { PlottedValue } from './plots.ts';

type PublishedBenchmark = Evaluation['benchmarks'][number];

/** A benchmark of one model. */
export interface Measured {
  /** name of the model's repo */
  readonly model: string;
  readonly isSubject: boolean;
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

/** What the subject gains over a model that it was made from, or why the two are not to be compared. */
export interface Gain {
  readonly title: string;
  readonly scale: readonly [number, number];
  readonly over: string;
  readonly paired: PairedEstimate | null;
  /** the first member of the protocol that differs */
  readonly differs: string | undefined;
}

/** Benchmarks of all evaluations; of two that measure the same of one model the first counts. */
export function measuredBenchmarks(facts: Pick<ReportFacts, 'artifacts' | 'subject' | 'evaluations'>): MeasuredBenchmark[] {
  const all = facts.artifacts.flatMap((artifact) => {
    const own = facts.evaluations.filter(({ evaluation }) => evaluation.model.digest === artifact.manifest?.digest);
    const measured = own.flatMap((each) => measuredBy(each, nameOf(artifact), artifact === facts.subject));
    return [...new Map(measured.toReversed().map((each) => [each.benchmark.name, each])).values()].reverse();
  });
  return [...Map.groupBy(all, ({ benchmark }) => benchmark.name)].map(([name, models]) => {
    const { title, metric, scale } = (models.at(-1) as Measured).benchmark;
    return { name, title, metric, scale, models };
  });
}

function measuredBy({ id, evaluation, items }: ReportEvaluation, model: string, isSubject: boolean): Measured[] {
  return evaluation.benchmarks.map((benchmark) => ({ model, isSubject, id, benchmark, items: items[benchmark.name] ?? [] }));
}

/** What the subject gains over each other model of the lineage, item by item. */
export function gainsOf(benchmarks: readonly MeasuredBenchmark[]): Gain[] {
  return benchmarks.flatMap(({ title, scale, models }) => {
    const own = models.find(({ isSubject }) => isSubject);
    if (own === undefined) return [];
    return models.flatMap((other) => {
      if (other === own) return [];
      const differs = protocolDifference(own.benchmark.protocol, other.benchmark.protocol);
      const paired = differs === undefined ? pairedEstimate(own.items, other.items) : null;
      return [{ title, scale, over: other.model, paired, differs }];
    });
  });
}

/** The first member by which two protocols differ: their values are not to be subtracted. */
export function protocolDifference(a: PublishedBenchmark['protocol'], b: PublishedBenchmark['protocol']): string | undefined {
  const text = (value: unknown) => (value === undefined ? '' : canonicalJson(value));
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].find((name) => text(a[name]) !== text(b[name]));
}

/** The value with its interval, in percent where it is a share. */
export function intervalOf({ value, estimate: known, scale }: PublishedBenchmark): PlottedValue | null {
  if (value === null) return null;
  const factor = factorOf(scale);
  return [factor * value, known === null ? null : factor * known.low, known === null ? null : factor * known.high];
}

/** The same by category, over the clusters of its items. */
export function groupIntervals({ benchmark, items }: Measured): Record<string, PlottedValue | null> {
  const factor = factorOf(benchmark.scale);
  const members = Map.groupBy(items, ({ group }) => group ?? '');
  return Object.fromEntries(
    Object.entries(benchmark.groups).map(([name, { value }]) => {
      if (value === null) return [name, null];
      const known = estimate(members.get(name) ?? []);
      return [name, [factor * value, known === null ? null : factor * known.low, known === null ? null : factor * known.high]];
    }),
  );
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

/** The benchmarks that stand at the top of a report, the subject's alone. */
const HEADLINES = 3;

export function headlines(facts: ReportFacts): { name: string; value: string; note?: string }[] {
  const own = measuredBenchmarks(facts).flatMap(({ models }) => models.filter(({ isSubject }) => isSubject));
  return own.slice(0, HEADLINES).flatMap(({ benchmark: { title, value, scale, estimate: known } }) => {
    if (value === null) return [];
    const between = known === null ? {} : { note: `${measuredText(known.low, scale)} to ${measuredText(known.high, scale)}` };
    return [{ name: title, value: measuredText(value, scale), ...between }];
  });
}
