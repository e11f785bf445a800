import { join } from 'node:path';
import { type Columns, readParquet } from '../../datasets/parquet.ts';
import { readRows } from '../../datasets/rows.ts';
import type { Flag } from '../flags.ts';

export interface Prompt {
  readonly prompt_id: string;
  readonly prompt: string;
  /** the row's own `source`, else the name of the recipe's source */
  readonly source: string;
  /** It should be declined: a refusal may be the better answer. */
  readonly safety: boolean;
  /** equal prompts that were merged into it, itself included */
  readonly copies: number;
}

/** What became of a source, in `sources.json` beside the prompts. */
export interface SourceReport {
  readonly source: string;
  /** the recipe's source that it came with */
  readonly from: string;
  readonly licence: string | null;
  readonly safety: boolean;
  readonly read: number;
  readonly prompts: number;
}

export const PROMPTS_FILE = 'prompts.jsonl';
export const SOURCES_FILE = 'sources.json';
export const REPORT_FILE = 'report.json';

export async function* eachPrompt(folder: string): AsyncGenerator<Prompt> {
  for await (const row of readRows(join(folder, PROMPTS_FILE))) yield row as unknown as Prompt;
}

export type Completion = {
  /** `PROMPT_ID/MEMBER` */
  readonly completion_id: string;
  readonly prompt_id: string;
  readonly prompt: string;
  /** of the prompt */
  readonly source: string | null;
  /** pool member */
  readonly member: string;
  readonly model: string;
  readonly principle: string | null;
  /** of the wording that was the system turn */
  readonly principle_sha256: string | null;
  readonly temperature: number | null;
  readonly top_p: number | null;
  readonly max_tokens: number | null;
  readonly text: string;
  readonly finish_reason: string;
  readonly prompt_tokens: number | null;
  readonly completion_tokens: number | null;
  /** United States dollars, as the call log has them; null without a price, or for an answer of a model artifact */
  readonly cost_usd: number | null;
  /** `duplicate`: another answer to the prompt, without this flag, has the same words */
  readonly flags: readonly (Flag | 'duplicate')[];
  /** of the paid call; null for an answer of a model artifact */
  readonly call_key: string | null;
};

export const COMPLETION_COLUMNS: Columns = {
  completion_id: 'string',
  prompt_id: 'string',
  prompt: 'string',
  source: 'string',
  member: 'string',
  model: 'string',
  principle: 'string',
  principle_sha256: 'string',
  temperature: 'double',
  top_p: 'double',
  max_tokens: 'int',
  text: 'string',
  finish_reason: 'string',
  prompt_tokens: 'int',
  completion_tokens: 'int',
  cost_usd: 'double',
  flags: 'strings',
  call_key: 'string',
};

export const RATING_COLUMNS: Columns = {
  completion_id: 'string',
  prompt_id: 'string',
  aspect: 'string',
  judge: 'string',
  seat: 'int',
  template_id: 'string',
  template_sha256: 'string',
  permutation: 'int',
  position: 'int',
  against: 'string',
  rating: 'int',
  value: 'double',
  mass: 'double',
  na: 'bool',
  rationale: 'string',
  injection: 'bool',
  status: 'string',
  call_key: 'string',
};

export const COMPLETIONS_FILE = 'completions/train-00000-of-00001.parquet';
export const RATINGS_FILE = 'ratings/train-00000-of-00001.parquet';
export const pairsFile = (split: string) => `data/${split}-00000-of-00001.parquet`;

/** Rows of a Parquet file that follow one another and share a prompt. `columns`: only these, `prompt_id` among them. */
export async function* byPrompt<T extends { readonly prompt_id: string }>(
  path: string,
  columns?: readonly string[],
): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const row of readParquet(path, columns)) {
    const item = row as unknown as T;
    if (group[0] !== undefined && group[0].prompt_id !== item.prompt_id) {
      yield group;
      group = [];
    }
    group.push(item);
  }
  if (group.length > 0) yield group;
}
