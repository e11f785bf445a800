import * as z from 'zod';
import { bootstrap, wins } from '../../judging/bootstrap.ts';

/** The models that sit the exam, each after the one that it was made from. */
export const SITTERS = ['base', 'dsft', 'ddpo'] as const;
export type Sitter = (typeof SITTERS)[number];

const estimate = z.object({ mean: z.number(), low: z.number(), high: z.number() });

/** What the exam found. Scores are in [0, 1]; an interval covers 95 %. */
export const examReport = z.object({
  prompts: z.int(),
  resamples: z.int(),
  models: z.array(
    z.object({
      model: z.enum(SITTERS),
      score: estimate,
      /** share of answers that a model ended itself */
      ended: z.number(),
      /** tokens of an answer */
      tokens: z.number(),
      /** mean score by kind of question */
      kinds: z.record(z.string(), z.number()),
    }),
  ),
  /** each model against the one before it, on the same prompts */
  steps: z.array(z.object({ model: z.enum(SITTERS), over: z.enum(SITTERS), gain: estimate, winRate: estimate })),
});
export type ExamReport = z.infer<typeof examReport>;

export interface Sat {
  readonly kind: string;
  readonly score: number;
  readonly ended: boolean;
  readonly tokens: number;
}

/** `sat`: by model, its answers in the order of the prompts. */
export function makeReport(sat: Readonly<Record<Sitter, readonly Sat[]>>, resamples: number, seed: number): ExamReport {
  const scores = (model: Sitter) => sat[model].map(({ score }) => score);
  const kinds = [...new Set(sat.base.map(({ kind }) => kind))].sort();
  return {
    prompts: sat.base.length,
    resamples,
    models: SITTERS.map((model) => ({
      model,
      score: bootstrap(scores(model), resamples, seed),
      ended: mean(sat[model].map(({ ended }) => (ended ? 1 : 0))),
      tokens: mean(sat[model].map(({ tokens }) => tokens)),
      kinds: Object.fromEntries(
        kinds.map((kind) => [kind, mean(sat[model].filter((each) => each.kind === kind).map(({ score }) => score))]),
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
