import * as z from 'zod';
import { datasetText, inputOf } from './recipe-context.ts';
import type { Reading, StepInput } from './stage.ts';

const splitName = z.string().min(1);

/** Which of the configs ("subsets") of a dataset; the key of a source in a recipe and in a step's config alike. */
export const configName = z
  .string()
  .min(1)
  .optional()
  .describe('Config (subset) of the dataset by the name that its card gives it; without it the default one');

/** One row in twenty. */
export const MAX_DROPPED = 0.05;

/** Rows that a step cannot use are left out and counted by reason; above this share the step refuses the data. */
export const maxDropped = z
  .number()
  .min(0)
  .max(1)
  .default(MAX_DROPPED)
  .describe('Share of the rows that may be left out because they cannot be used; more is an error');

export const budgetUsd = z
  .number()
  .positive()
  .optional()
  .describe('Dollars that the stage may spend on teachers at most; every teacher then needs a price');

/** See `Unanswered`. */
export const maxUnanswered = z
  .number()
  .min(0)
  .max(1)
  .optional()
  .describe(
    "Share of a step's calls that may stay without a reply and are left out; more end the step, and the same command asks them again. Without it one in twenty of calls that a server declines for what is in them (too long, filtered), and none of any other",
  );

/**
 * Benchmarks that no row may hold. `what` is a row; `v03` what alignment-handbook v0.3 dropped by HumanEval, which is told by
 * its columns: of it the docstrings and solutions are looked for as v0.3 did, of any other dataset the prompts.
 */
export const decontaminate = (what: string, v03: string) =>
  datasetText
    .optional()
    .describe(
      `Dataset of a benchmark; ${what} that holds an item of it is dropped. Code problems (prompt, canonical_solution) are looked for by docstring and solution as v0.3 did, others by their whole prompt. v0.3: HumanEval, ${v03}`,
    );

/** What a prepare step reads for `decontaminate`. */
export function decontaminated({ decontaminate: ref }: { readonly decontaminate?: string | undefined }) {
  const inputs: Record<string, StepInput> = ref === undefined ? {} : { decontaminate: inputOf(ref) };
  const reads: Reading[] = ref === undefined ? [] : [{ input: 'decontaminate', splits: 'all' }];
  return { inputs, reads };
}

/** Published rows: which splits of which dataset, and how much of them. */
export function datasetSpec(train: string, test: string) {
  return z.strictObject({
    ref: datasetText.describe('Dataset on the Hub, hf://datasets/ORG/NAME[@REVISION]; pinned to a commit before anything runs'),
    config: configName,
    train: splitName.default(train).describe(`Training split; Zephyr: ${train}`),
    test: splitName.nullable().default(test).describe(`Held-out split, null for none; Zephyr: ${test}`),
    fraction: z
      .number()
      .positive()
      .max(1)
      .default(1)
      .describe('Share of the training split, chosen row by row by the seed; Zephyr: 1'),
    rows: z
      .record(splitName, z.int().positive())
      .optional()
      .describe('Rows that each split must have: the job refuses the data otherwise (published sets were rewritten in place)'),
  });
}

export type DatasetSpec = z.infer<ReturnType<typeof datasetSpec>>;

/** One source of a prepare job, under the input name `data<index>`. */
export function sourceConfig(dataset: Omit<DatasetSpec, 'ref'>, index: number) {
  return {
    input: `data${index}`,
    ...configOf(dataset),
    train: dataset.train,
    test: dataset.test,
    fraction: dataset.fraction,
    rows: dataset.rows ?? null,
  };
}

/** What a source of `sourceConfig` reads. */
export function sourceReading({ input, config, train, test }: ReturnType<typeof sourceConfig>): Reading {
  return { input, ...configOf({ config }), splits: test === null ? [train] : [train, test] };
}

/** The member `config` of a step's config, where the recipe names one: without it the fingerprint is what it was. */
export function configOf({ config }: { readonly config?: string | undefined }): { readonly config?: string } {
  return config === undefined ? {} : { config };
}

/** The member `max_dropped` of a step's config, where it is not the usual share: without it the fingerprint is what it was. */
export function droppedOf({ maxDropped: share }: { readonly maxDropped: number }): { readonly max_dropped?: number } {
  return share === MAX_DROPPED ? {} : { max_dropped: share };
}
