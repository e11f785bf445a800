import * as z from 'zod';
import { datasetText } from './setting.ts';

const splitName = z.string().min(1);

/** Published rows: which splits of which dataset, and how much of them. */
export function datasetSpec(train: string, test: string) {
  return z.strictObject({
    ref: datasetText.describe('Dataset on the Hub, hf://datasets/ORG/NAME[@REVISION]; pinned to a commit before anything runs'),
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
    train: dataset.train,
    test: dataset.test,
    fraction: dataset.fraction,
    rows: dataset.rows ?? null,
  };
}
