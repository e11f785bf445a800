import * as z from 'zod';
import { bootstrap, wins } from '../../judging/bootstrap.ts';
import type { StageTable } from '../module.ts';

/** The models that a rehearsal compares, each after the one that it was made from. */
export const MODELS = ['base', 'dsft', 'ddpo'] as const;
export type ModelName = (typeof MODELS)[number];

const estimate = z.object({ mean: z.number(), low: z.number(), high: z.number() });

/** What the evaluation of a rehearsal found. Scores are in [0, 1]; an interval covers 95 %. */
export const evaluationReport = z.object({
  prompts: z.int(),
  resamples: z.int(),
  models: z.array(
    z.object({
      model: z.enum(MODELS),
      score: estimate,
      /** share of answers that a model ended itself */
      ended: z.number(),
      /** tokens of an answer */
      tokens: z.number(),
      /** mean score by kind of question */
      kinds: z.record(z.string(), z.number()),
    }),
  ),
  /** what made the last model, where it was not DPO */
  method: z.string().optional(),
  /** each model against the one before it, on the same prompts */
  steps: z.array(z.object({ model: z.enum(MODELS), over: z.enum(MODELS), gain: estimate, winRate: estimate })),
});
export type EvaluationReport = Omit<z.infer<typeof evaluationReport>, 'method'> & { readonly method?: string };

/** A model's answer to one prompt, graded. */
export interface Result {
  readonly kind: string;
  readonly score: number;
  readonly ended: boolean;
  readonly tokens: number;
}

/** `results`: by model, its graded answers in the order of the prompts. */
export function makeReport(
  results: Readonly<Record<ModelName, readonly Result[]>>,
  resamples: number,
  seed: number,
): EvaluationReport {
  const scores = (model: ModelName) => results[model].map(({ score }) => score);
  const kinds = [...new Set(results.base.map(({ kind }) => kind))].sort();
  return {
    prompts: results.base.length,
    resamples,
    models: MODELS.map((model) => ({
      model,
      score: bootstrap(scores(model), resamples, seed),
      ended: mean(results[model].map(({ ended }) => (ended ? 1 : 0))),
      tokens: mean(results[model].map(({ tokens }) => tokens)),
      kinds: Object.fromEntries(
        kinds.map((kind) => [kind, mean(results[model].filter((each) => each.kind === kind).map(({ score }) => score))]),
      ),
    })),
    steps: [
      { model: 'dsft' as const, over: 'base' as const },
      { model: 'ddpo' as const, over: 'dsft' as const },
    ].map(({ model, over }) => {
      const [after, before] = [scores(model), scores(over)];
      const gains = after.map((score, index) => score - (before[index] as number));
      return { model, over, gain: bootstrap(gains, resamples, seed), winRate: bootstrap(wins(after, before), resamples, seed) };
    }),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const NAMES = { base: 'base', dsft: 'dSFT', ddpo: 'dDPO' } as const;

/** The three models on the held-out prompts, shown for good and bad results alike. */
export function evaluationTable(metrics: unknown): StageTable {
  const report = evaluationReport.parse(metrics);
  const right = (title: string) => ({ title, align: 'right' as const });
  const rows = report.models.map(({ model, score, ended, tokens }) => {
    const step = report.steps.find((one) => one.model === model);
    const gain = step === undefined ? '' : `${signed(step.gain.mean)} [${signed(step.gain.low)}, ${signed(step.gain.high)}]`;
    const wins =
      step === undefined ? '' : `${percent(step.winRate.mean)} [${percent(step.winRate.low)}, ${percent(step.winRate.high)}]`;
    const name = model === 'ddpo' && report.method !== undefined ? report.method.toUpperCase() : NAMES[model];
    return [name, score.mean.toFixed(3), gain, wins, tokens.toFixed(0), percent(ended)];
  });
  return {
    above: `${report.prompts} held-out prompts, scores of the judge from 0 to 1`,
    columns: [{ title: 'model' }, ...['score', 'gain [95 %]', 'wins [95 %]', 'tokens', 'ended'].map(right)],
    rows,
    below: 'gain and wins: against the model above, paired, bootstrapped over the prompts',
  };
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(3)}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
