import { join } from 'node:path';
import { writeParquet } from '../../src/datasets/parquet.ts';
import type { Rating } from '../../src/judging/rating.ts';
import type { BinarizeRule } from '../../src/stages/aif/pairs/rule.ts';
import {
  COMPLETION_COLUMNS,
  COMPLETIONS_FILE,
  type Completion,
  RATING_COLUMNS,
  RATINGS_FILE,
} from '../../src/stages/aif/tables.ts';

/** A rule that drops nothing that it need not. */
export const binarizeRule: BinarizeRule = {
  seed: 1,
  score: 'mean_aspects',
  aspects: ['helpfulness'],
  weights: {},
  length_residual: false,
  rejected: 'random_lower',
  margin_band: null,
  ties: 'drop',
  min_margin: 0,
  min_chosen: null,
  same_when_cut: 'drop',
  trainer: { max_length: 1024, max_prompt_length: 512 },
  cross_check: 3,
  test_prompts: 0,
  licences: {},
};

export function completionRow(prompt_id: string, member: string, more: Partial<Completion> = {}): Completion {
  return {
    completion_id: `${prompt_id}/${member}`,
    prompt_id,
    prompt: `question ${prompt_id}`,
    source: null,
    member,
    model: `model-${member}`,
    principle: null,
    principle_sha256: null,
    temperature: 1,
    top_p: 1,
    max_tokens: 64,
    text: `${member} answers ${prompt_id}`,
    finish_reason: 'stop',
    prompt_tokens: 10,
    completion_tokens: 20,
    cost_usd: null,
    flags: [],
    call_key: `${prompt_id}${member}`,
    ...more,
  };
}

export function ratingRow(prompt_id: string, member: string, rating: number | null, more: Partial<Rating> = {}): Rating {
  return {
    completion_id: `${prompt_id}/${member}`,
    prompt_id,
    aspect: 'helpfulness',
    judge: 'judge-1',
    seat: 0,
    template_id: 'judge-helpfulness',
    template_sha256: 'ab'.repeat(32),
    permutation: 0,
    position: 0,
    against: null,
    rating,
    value: rating,
    mass: null,
    na: false,
    rationale: 'because',
    injection: false,
    status: rating === null && more.na !== true ? 'invalid' : 'ok',
    call_key: 'key',
    ...more,
  };
}

export async function writeCompletions(folder: string, rows: Iterable<Completion>): Promise<string> {
  await writeParquet(join(folder, COMPLETIONS_FILE), COMPLETION_COLUMNS, rows);
  return folder;
}

export async function writeRatings(folder: string, rows: Iterable<Rating>): Promise<string> {
  await writeParquet(join(folder, RATINGS_FILE), RATING_COLUMNS, rows);
  return folder;
}
