import { join } from 'node:path';
import { MESSAGES } from '../../datasets/conversation.ts';
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

export async function* eachPrompt(folder: string): AsyncGenerator<Prompt> {
  for await (const row of readRows(join(folder, PROMPTS_FILE))) yield row as unknown as Prompt;
}

export async function readPrompts(folder: string): Promise<Prompt[]> {
  const prompts: Prompt[] = [];
  for await (const prompt of eachPrompt(folder)) prompts.push(prompt);
  return prompts;
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

/** `invalid`: the judge's reply cannot be read; `missing`: there is none. Neither has a value, and none is ever made up. */
export type RatingStatus = 'ok' | 'invalid' | 'refused' | 'missing';

/**
 * What one judge made of one answer in one aspect, seeing the answers in one order. What is aggregated is `value` and
 * nothing else: first the mean over a seat's rows (orders of the texts, opponents), then the median over the seats; see
 * `verdictOf`.
 */
export type Rating = {
  readonly completion_id: string;
  readonly prompt_id: string;
  /** One of the recipe's, rated 1 to 5; `overall`, 1 to 10; `comparison`, 0 to 1; `reward`, any number. */
  readonly aspect: string;
  /** The model that gave the reply; the fallback's where the judge's could not be read. */
  readonly judge: string;
  /** Which judge of the panel this is, from 0; a fallback takes the seat of the judge that it stands in for. */
  readonly seat: number;
  /** The template files that the judge's instructions are made of, and the sha256 of the instructions; null for a reward. */
  readonly template_id: string | null;
  readonly template_sha256: string | null;
  readonly permutation: number;
  /** from 0, as the judge saw the answers */
  readonly position: number;
  /** The answer that it was compared with, in a comparison of two. */
  readonly against: string | null;
  /** The number that the judge wrote; null where it wrote none: comparisons, rewards, "does not apply", status not ok. */
  readonly rating: number | null;
  /** The rating; the expected rating; the reward; 1, 0.5 or 0 for an answer that won, tied or lost a comparison. */
  readonly value: number | null;
  /** Probability that the judge gave to the digits of the scale, where the value is an expected rating. */
  readonly mass: number | null;
  /** The judge says that the aspect does not apply. */
  readonly na: boolean;
  readonly rationale: string | null;
  /** The answer tries to speak to the judge; counted, not dropped. */
  readonly injection: boolean;
  readonly status: RatingStatus;
  /** of the last call; null for a reward */
  readonly call_key: string | null;
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
