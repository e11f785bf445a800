import type { Json } from '../../../base/canonical-json.ts';
import type { JudgeReport, Origin } from './origin.ts';
import type { PairedUp } from './pair-up.ts';
import { type Histogram, histogram, type RatingStatistics } from './rating-statistics.ts';
import type { BinarizeRule } from './rule.ts';

/** What `report.json` says. It is a function of what the step's fingerprint covers; prices and commits are in the card. */
export type Report = {
  readonly version: 1;
  readonly rule: BinarizeRule;
  readonly prompts: number;
  readonly pairs: number;
  readonly train_prefs: number;
  readonly test_prefs: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly answers: number;
  readonly answers_left_out: Readonly<Record<string, number>>;
  readonly pair_flags: Readonly<Record<string, number>>;
  readonly sources: readonly SourceRow[];
  readonly models: readonly ModelRow[];
  readonly judges: RatingStatistics['judges'];
  readonly ratings: RatingStatistics['histograms'];
  readonly margins: { readonly step: number; readonly mean: number; readonly histogram: Histogram };
  readonly bias: {
    /** what the ratings' own report says of the judges; null where there is none */
    readonly judge: JudgeReport | null;
    readonly score_length_correlation: number | null;
    readonly length_slope_per_1000_characters: number | null;
    readonly chosen_longer: number;
  };
  readonly cross_check: { readonly threshold: number; readonly answers: number; readonly contradictions: number };
  readonly contamination: Origin['contamination'];
  readonly inputs: Origin['inputs'];
};

type SourceRow = {
  readonly source: string;
  readonly licence: string;
  readonly safety: boolean;
  readonly prompts: number;
  readonly pairs: number;
};
type ModelRow = {
  readonly model: string;
  readonly member: string;
  readonly licence: string;
  readonly answers: number;
  readonly flagged: number;
  readonly unscored: number;
  readonly chosen: number;
  readonly rejected: number;
};

const UNKNOWN = 'unknown';

export function reportOf(
  rule: BinarizeRule,
  paired: PairedUp,
  rows: { readonly train_prefs: number; readonly test_prefs: number },
  origin: Origin,
): Report {
  const margins = [...paired.picks.values()].map(({ score_chosen, score_rejected }) => score_chosen - score_rejected);
  const step = stepFor(margins);
  const models = modelRows(paired, rule.licences);
  const { judges, histograms } = paired.statistics;
  return {
    version: 1,
    rule,
    prompts: paired.prompts,
    pairs: paired.picks.size,
    ...rows,
    dropped: paired.drops.counts(),
    answers: models.reduce((sum, { answers }) => sum + answers, 0),
    answers_left_out: paired.leftOut.counts(),
    pair_flags: paired.flags,
    sources: sourceRows(paired, origin),
    models,
    judges,
    ratings: histograms,
    margins: {
      step,
      mean: margins.reduce((sum, margin) => sum + margin, 0) / Math.max(1, margins.length),
      histogram: histogram(margins, step),
    },
    bias: {
      judge: origin.judge,
      score_length_correlation: paired.lengthCorrelation,
      length_slope_per_1000_characters: paired.lengthSlope,
      chosen_longer: paired.longer / Math.max(1, paired.picks.size),
    },
    cross_check: { threshold: rule.cross_check, answers: paired.twiceScored, contradictions: paired.contradictions.length },
    contamination: origin.contamination,
    inputs: origin.inputs,
  };
}

/** What the plan's metrics say of it: one glance. */
export function metricsOf(report: Report): Record<string, Json> {
  const { prompts, pairs, train_prefs, test_prefs, dropped, answers_left_out, bias, margins, pair_flags, cross_check } = report;
  return {
    ...{ prompts, pairs, train_prefs, test_prefs, dropped, answers_left_out, pair_flags },
    mean_margin: margins.mean,
    chosen_longer: bias.chosen_longer,
    chosen_by_model: Object.fromEntries(report.models.map(({ model, chosen }) => [model, chosen])),
    contradictions: cross_check.contradictions,
  };
}

function sourceRows({ sources }: PairedUp, origin: Origin): SourceRow[] {
  return [...sources]
    .map(([source, counts]) => {
      const known = origin.sources.find((each) => each.source === source);
      return { source: source || UNKNOWN, licence: known?.licence ?? UNKNOWN, safety: known?.safety ?? false, ...counts };
    })
    .sort((a, b) => b.prompts - a.prompts || (a.source < b.source ? -1 : 1));
}

function modelRows({ models }: PairedUp, licences: Readonly<Record<string, string>>): ModelRow[] {
  return [...models]
    .map(([key, counts]) => {
      const [member = '', model = ''] = key.split('\n');
      return { model, member, licence: licences[member] ?? UNKNOWN, ...counts };
    })
    .sort((a, b) => b.chosen - a.chosen || (`${a.model} ${a.member}` < `${b.model} ${b.member}` ? -1 : 1));
}

/** A step that makes at most some twenty bins of the margins; means of ratings often lie on eighths. */
function stepFor(margins: readonly number[]): number {
  const widest = margins.reduce((most, margin) => Math.max(most, margin), 0);
  const steps = [0.05, 0.125, 0.25, 0.5, 1, 2, 5, 10];
  return steps.find((step) => widest / step <= 20) ?? 100;
}
