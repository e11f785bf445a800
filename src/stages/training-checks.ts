import * as z from 'zod';

/** A finished training as its artifact tells of it. */
export interface FinishedTraining {
  /** what the step was told, and what it measured, as they stand in the manifest */
  readonly config: unknown;
  readonly metrics: unknown;
  /** names of the repos of models and data that it goes back to, at any remove */
  readonly origins: readonly string[];
}

/** One check of a finished training against what such trainings are known to show. */
export interface TrainingCheck {
  readonly name: string;
  readonly value: string;
  readonly expected: string;
  /** null: the value stands beside another that it cannot be held to */
  readonly ok: boolean | null;
  /** what a miss likely means, or why it cannot be held to */
  readonly meaning: string;
}

const measured = z.record(z.string(), z.unknown()).catch({});

/** The metrics that are numbers. */
export function metricsIn(metrics: unknown): ReadonlyMap<string, number> {
  const found = Object.entries(measured.parse(metrics));
  return new Map(found.flatMap(([name, value]) => (typeof value === 'number' ? [[name, value] as const] : [])));
}

/** What of a step's config decides which published trainings it is like. */
export const trainedWith = z.looseObject({
  packing: z.boolean().optional(),
  beta: z.number().optional(),
  loss_type: z.string().optional(),
  learning_rate: z.number(),
  epochs: z.number(),
  global_batch: z.number(),
  lora: z.unknown(),
});

/** A number that a check holds to bounds, both of them allowed. */
export interface Bounds {
  readonly name: string;
  readonly value: number | undefined;
  readonly least?: number;
  readonly most?: number;
  readonly meaning: string;
}

/** No check where nothing was measured. */
export function within({ name, value, least, most, meaning }: Bounds): TrainingCheck[] {
  if (value === undefined) return [];
  const expected =
    least === undefined ? `at most ${most}` : most === undefined ? `at least ${least}` : `${digits(least)} to ${digits(most)}`;
  const ok = value >= (least ?? Number.NEGATIVE_INFINITY) && value <= (most ?? Number.POSITIVE_INFINITY);
  return [{ name, value: digits(value), expected, ok, meaning }];
}

export function digits(value: number): string {
  return value.toFixed(4);
}
