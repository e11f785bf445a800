import * as z from 'zod';
import { parseRef } from '../../../model/artifact.ts';
import { configName, maxDropped } from '../../data-spec.ts';
import { datasetText } from '../../recipe-context.ts';

const listed = z.union(
  [
    z.string().min(1),
    z.strictObject({ prompt: z.string(), prompt_id: z.string().min(1).optional(), source: z.string().min(1).optional() }),
    z.strictObject({ malformed: z.string() }),
  ],
  { error: 'expected a text, or a mapping with prompt and, where there are any, prompt_id and source' },
);

const promptSource = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(80)
      .optional()
      .describe('What its prompts are counted, licensed and given principles under; the name of the dataset or file without it'),
    ref: datasetText
      .optional()
      .describe('Dataset on the Hub with prompts, Parquet or JSON Lines, e.g. hf://datasets/HuggingFaceH4/ultrachat_200k'),
    list: z.array(listed).default([]).describe('Prompts written out here'),
    file: z
      .string()
      .optional()
      .describe(
        'File with prompts beside the recipe, .txt with one a line or .jsonl with prompt, prompt_id and source; read into `list`, at most 1 MiB',
      ),
    config: configName,
    split: z
      .string()
      .min(1)
      .default('train_gen')
      .describe('Split of `ref`; ultrachat_200k keeps prompts for generation in train_gen'),
    column: z
      .string()
      .min(1)
      .default('prompt')
      .describe('Column of `ref` that holds the prompt: a text, or messages of which the first user turn counts'),
    rows: z
      .int()
      .positive()
      .nullable()
      .default(null)
      .describe('Prompts of this source at most, chosen by the seed; null for all; UltraFeedback: 63,967 from six sources'),
    licence: z.string().min(1).optional().describe('Licence of the prompts, for the card of what is made of them'),
    safety: z.boolean().default(false).describe('Prompts that should be declined: here alone a refusal may be the better answer'),
  })
  .refine(
    ({ ref, list, file }) => [ref !== undefined, list.length > 0 || file !== undefined].filter(Boolean).length === 1,
    'expected one of `ref`, `list` and `file`',
  );

const benchmark = z.strictObject({
  name: z.string().min(1).optional().describe('Name in the report; that of the dataset without it'),
  ref: datasetText.describe('Dataset on the Hub with the items of the benchmark'),
  config: configName,
  split: z.string().min(1).optional().describe('Its split; every Parquet and JSON Lines file without it'),
  column: z
    .string()
    .min(1)
    .optional()
    .describe('Column with what is asked; without it the first of prompt, question, instruction, text, messages'),
});

export const promptsSpec = z.strictObject({
  sources: z.array(promptSource).min(1).describe('Where the prompts come from; of equal prompts the first one stays'),
  maxCharacters: z.int().positive().default(8000).describe('Longer prompts are dropped, in characters'),
  maxTokens: z
    .int()
    .positive()
    .default(2048)
    .describe('Longer prompts are dropped, in tokens, estimated as bytes of UTF-8 by 4; dSFT in v0.3 sees 2,048'),
  nearDuplicates: z
    .enum(['report', 'drop'])
    .default('report')
    .describe(
      'Prompts that share 0.8 of their five-word shingles with another one (MinHash): only listed, or all but one dropped',
    ),
  decontaminate: z
    .array(benchmark)
    .default([])
    .describe('Benchmarks whose items no prompt may hold; UltraFeedback held TruthfulQA and was cleaned of it later'),
  ngram: z
    .literal([8, 13])
    .default(13)
    .describe('So many words in a row that a prompt shares with an item of a benchmark; GPT-3: 13, Tulu 3: 8'),
  contaminated: z
    .enum(['drop', 'report'])
    .default('drop')
    .describe('Prompts that hold an item of a benchmark: dropped, or kept and listed only'),
  dropSources: z
    .array(z.string())
    .default(['truthful_qa'])
    .describe(
      'Sources to leave out, by name or by value of the column `source`; truthful_qa is a benchmark that UltraFeedback took its prompts from',
    ),
  skipInvalid: z
    .boolean()
    .default(false)
    .describe('Rows that cannot be read go to rejects.jsonl, where otherwise the step refuses the source'),
  maxDropped,
});

export type PromptsSpec = z.infer<typeof promptsSpec>;
export type PromptSource = PromptsSpec['sources'][number];

/** What a source or a benchmark is called where the recipe gives it no name. */
export function nameOf({ name, ref }: { readonly name?: string | undefined; readonly ref?: string | undefined }): string {
  return name ?? (ref === undefined ? 'list' : (parseRef(ref)?.name.split('/').at(-1) ?? ref));
}
