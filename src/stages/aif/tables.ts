import { join } from 'node:path';
import { type Columns, readParquet } from '../../base/parquet.ts';
import type { Flag } from '../flags.ts';
import { MESSAGES, readRows } from '../rows.ts';

export interface Prompt {
  readonly prompt_id: string;
  readonly prompt: string;
}

export const PROMPTS_FILE = 'prompts.jsonl';

export async function readPrompts(folder: string): Promise<Prompt[]> {
  const prompts: Prompt[] = [];
  for await (const row of readRows(join(folder, PROMPTS_FILE))) prompts.push(row as unknown as Prompt);
  return prompts;
}

export type Completion = {
  /** `PROMPT_ID/MEMBER` */
  readonly completion_id: string;
  readonly prompt_id: string;
  readonly prompt: string;
  /** pool member */
  readonly member: string;
  readonly model: string;
  readonly principle: string | null;
  readonly text: string;
  readonly finish_reason: string;
  readonly prompt_tokens: number | null;
  readonly completion_tokens: number | null;
  readonly flags: readonly Flag[];
  /** of the paid call; null for an answer of a model artifact */
  readonly call_key: string | null;
};

export const COMPLETION_COLUMNS: Columns = {
  completion_id: 'string',
  prompt_id: 'string',
  prompt: 'string',
  member: 'string',
  model: 'string',
  principle: 'string',
  text: 'string',
  finish_reason: 'string',
  prompt_tokens: 'int',
  completion_tokens: 'int',
  flags: 'strings',
  call_key: 'string',
};

/** `invalid`: the judge's reply cannot be read; `missing`: there is none. Neither has a rating, and none is ever made up. */
export type RatingStatus = 'ok' | 'invalid' | 'refused' | 'missing';

export type Rating = {
  readonly completion_id: string;
  readonly prompt_id: string;
  readonly aspect: string;
  readonly judge: string;
  /** sha256 of the judge's instructions */
  readonly template_sha256: string;
  readonly permutation: number;
  /** from 0, as the judge saw the answers */
  readonly position: number;
  readonly rating: number | null;
  /** The judge says that the aspect does not apply. */
  readonly na: boolean;
  readonly rationale: string | null;
  readonly status: RatingStatus;
  readonly call_key: string;
};

export const RATING_COLUMNS: Columns = {
  completion_id: 'string',
  prompt_id: 'string',
  aspect: 'string',
  judge: 'string',
  template_sha256: 'string',
  permutation: 'int',
  position: 'int',
  rating: 'int',
  na: 'bool',
  rationale: 'string',
  status: 'string',
  call_key: 'string',
};

/** The columns of HuggingFaceH4/ultrafeedback_binarized, then ours. */
export const PAIR_COLUMNS: Columns = {
  prompt: 'string',
  prompt_id: 'string',
  chosen: MESSAGES,
  rejected: MESSAGES,
  messages: MESSAGES,
  score_chosen: 'double',
  score_rejected: 'double',
  chosen_model: 'string',
  rejected_model: 'string',
  margin: 'double',
};

export const COMPLETIONS_FILE = 'completions/train-00000-of-00001.parquet';
export const RATINGS_FILE = 'ratings/train-00000-of-00001.parquet';
export const pairsFile = (split: string) => `data/${split}-00000-of-00001.parquet`;

/** Rows of a Parquet file that follow one another and share a prompt. */
export async function* byPrompt<T extends { readonly prompt_id: string }>(path: string): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const row of readParquet(path)) {
    const item = row as unknown as T;
    if (group[0] !== undefined && group[0].prompt_id !== item.prompt_id) {
      yield group;
      group = [];
    }
    group.push(item);
  }
  if (group.length > 0) yield group;
}
