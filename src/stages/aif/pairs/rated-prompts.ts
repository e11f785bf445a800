import { join } from 'node:path';
import { parquetShape } from '../../../datasets/parquet.ts';
import { readRows } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import type { Rating } from '../../../judging/rating.ts';
import { byPrompt, COMPLETIONS_FILE, type Completion, PROMPTS_FILE, RATING_COLUMNS, RATINGS_FILE } from '../tables.ts';

export interface AnsweredPrompt {
  readonly prompt_id: string;
  readonly prompt: string;
  /** where the prompt comes from; null: not said */
  readonly source: string | null;
  /** In such a source a refusal may be the right answer. */
  readonly safety: boolean;
  readonly completions: readonly Completion[];
}
export type RatedPrompt = AnsweredPrompt & {
  /** by completion id */
  readonly ratings: ReadonlyMap<string, readonly Rating[]>;
};

/** Folders of the inputs; `prompts` says where a prompt comes from. */
export interface Folders {
  readonly completions: string;
  readonly ratings: string;
  readonly prompts: string | undefined;
}

/** What a score or the statistics ask of a rating; the rationales, most of the bytes, stay on the disk. */
const COLUMNS = (Object.keys(RATING_COLUMNS) as (keyof Rating)[]).filter((name) => name !== 'rationale' && name !== 'call_key');

/** The prompts with their answers, in the order of the file. A prompt that comes twice is refused. */
export async function* answeredPrompts(folders: Pick<Folders, 'completions' | 'prompts'>): AsyncGenerator<AnsweredPrompt> {
  const origins = await readOrigins(folders.prompts);
  const seen = new Set<string>();
  for await (const completions of byPrompt<Completion>(join(folders.completions, COMPLETIONS_FILE))) {
    const { prompt_id, prompt } = completions[0] as Completion;
    if (seen.has(prompt_id)) throw misaligned(`the answers to prompt "${prompt_id}" do not lie together`);
    seen.add(prompt_id);
    if (new Set(completions.map(({ completion_id }) => completion_id)).size < completions.length)
      throw misaligned(`prompt "${prompt_id}" has two answers of one id`);
    const origin = origins?.get(prompt_id);
    if (origins !== undefined && origin === undefined) throw misaligned(`prompt "${prompt_id}" has answers and is no prompt`);
    yield { prompt_id, prompt, source: origin?.source ?? null, safety: origin?.safety ?? false, completions };
  }
}

/**
 * Prompts, answers and ratings, one prompt in memory at a time: both files are in the order of the prompts and are walked
 * side by side. What belongs together is decided by ids alone, and a row without a partner stops the step, since rows that
 * are shifted against each other would pass for good data.
 */
export async function* ratedPrompts(folders: Folders): AsyncGenerator<RatedPrompt> {
  const ratings = ratingsByPrompt(folders.ratings, COLUMNS);
  let next = await ratings.next();
  for await (const answered of answeredPrompts(folders)) {
    const isRated = !next.done && next.value[0]?.prompt_id === answered.prompt_id;
    const own = isRated ? (next.value as readonly Rating[]) : [];
    yield { ...answered, ratings: aligned(answered, own) };
    if (isRated) next = await ratings.next();
  }
  if (!next.done)
    throw misaligned(
      `the ratings of prompt "${next.value[0]?.prompt_id}" find no answers: it has none, or comes in another order`,
    );
}

/** Ratings of prompts that follow one another; those of the first version had no panels, comparisons and expected ratings. */
export async function* ratingsByPrompt(folder: string, columns: readonly (keyof Rating)[]): AsyncGenerator<readonly Rating[]> {
  const path = join(folder, RATINGS_FILE);
  const there = new Set((await parquetShape(path)).columns);
  const known = columns.filter((column) => there.has(column));
  for await (const group of byPrompt<Rating>(path, known))
    yield there.has('value') ? group : group.map((rating) => ({ ...FIRST_VERSION, ...rating, value: rating.rating }));
}

const FIRST_VERSION = { seat: 0, template_id: null, against: null, mass: null, injection: false } as const;

function aligned({ prompt_id, completions }: AnsweredPrompt, ratings: readonly Rating[]): ReadonlyMap<string, Rating[]> {
  const own = new Map<string, Rating[]>(completions.map(({ completion_id }) => [completion_id, []]));
  const seen = new Set<string>();
  for (const rating of ratings) {
    const { completion_id, aspect, judge, seat, permutation, against } = rating;
    const list = own.get(completion_id);
    if (list === undefined || (typeof against === 'string' && !own.has(against)))
      throw misaligned(`a rating of prompt "${prompt_id}" speaks of answer "${list === undefined ? completion_id : against}"`);
    const key = [completion_id, aspect, judge, seat, permutation, against].join('\n');
    if (seen.has(key)) throw misaligned(`answer "${completion_id}" has two ratings of ${aspect} by one judge in one order`);
    seen.add(key);
    list.push(rating);
  }
  return own;
}

type PromptOrigin = Pick<AnsweredPrompt, 'source' | 'safety'>;

async function readOrigins(folder: string | undefined): Promise<ReadonlyMap<string, PromptOrigin> | undefined> {
  if (folder === undefined) return undefined;
  const origins = new Map<string, PromptOrigin>();
  for await (const row of readRows(join(folder, PROMPTS_FILE)))
    origins.set(String(row.prompt_id), {
      source: typeof row.source === 'string' ? row.source : null,
      safety: row.safety === true,
    });
  return origins;
}

function misaligned(what: string): ZephyrError {
  return new ZephyrError(`Cannot pair answers and ratings: ${what}`, {
    hint: 'Completions and ratings must be artifacts of the same run of prompts, as they were published.',
  });
}
