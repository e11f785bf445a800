import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { hmacOrder } from '../base/hmac-choice.ts';
import type { Row } from '../datasets/parquet.ts';
import { preferenceOf } from '../datasets/preference.ts';
import { openSplit, placedRows, type Split } from '../datasets/rows.ts';
import { ZephyrError } from '../errors.ts';
import type { Rating } from '../judging/rating.ts';
import { type Pair, SPLITS } from '../stages/aif/pairs/pairs.ts';
import { ratingsByPrompt } from '../stages/aif/pairs/rated-prompts.ts';
import { byPrompt, COMPLETIONS_FILE, type Completion, RATING_COLUMNS, RATINGS_FILE } from '../stages/aif/tables.ts';
import { type AspectRatings, disagreement, judgedOf } from './judged.ts';

/** An answer as far as it is known; of published pairs there is only the text. */
export interface FeedbackAnswer {
  readonly id: string | undefined;
  readonly model: string;
  readonly text: string;
  readonly score: number | null;
  readonly flags: readonly string[];
  readonly judged: readonly AspectRatings[];
}

/** A pair with everything behind it. */
export interface FeedbackRow {
  readonly prompt_id: string;
  readonly prompt: string;
  readonly split: string;
  readonly source: string | null;
  readonly chosen: FeedbackAnswer;
  readonly rejected: FeedbackAnswer;
  readonly others: readonly FeedbackAnswer[];
  readonly ratings: readonly Rating[];
  readonly margin: number | null;
  /** see `disagreement` */
  readonly disagreement: number | null;
  /** characters of the chosen answer less those of the rejected one */
  readonly lengthGap: number;
  readonly flags: readonly string[];
}

type PairRow = Partial<Pair> & Pick<Pair, 'prompt' | 'chosen' | 'rejected'> & { readonly split: string };
/** A pair without its texts, which are found again among the answers; only one that names no answers keeps them. */
type LightPair = Omit<PairRow, 'prompt' | 'chosen' | 'rejected' | 'messages'> & { readonly texts?: Texts };
interface Texts {
  readonly chosen: string;
  readonly rejected: string;
}

/**
 * Pairs of an artifact's folder with their answers and ratings, joined by ids, in the order of the prompts. At most `rows`
 * of them, drawn by `seed` and prompt, so that more rows are the same ones and others; null for all. One prompt's texts are
 * in memory at a time.
 */
export async function* feedbackRows(folder: string, rows: number | null, seed: number): AsyncGenerator<FeedbackRow> {
  const light = new Map<string, LightPair>();
  for await (const { chosen, rejected, messages: _, prompt, ...pair } of pairRows(folder)) {
    const texts = pair.chosen_id === undefined ? { texts: { chosen: textOf(chosen), rejected: textOf(rejected) } } : {};
    light.set(pair.prompt_id ?? prompt, { ...pair, ...texts });
  }
  const wanted = drawn([...light.keys()], rows, seed);
  if (await exists(join(folder, COMPLETIONS_FILE))) return yield* withRatings(folder, light, wanted);
  for await (const pair of pairRows(folder)) {
    const texts = { chosen: textOf(pair.chosen), rejected: textOf(pair.rejected) };
    if (wanted.has(idOf(pair))) yield rowOf({ ...pair, texts }, pair.prompt, [], []);
  }
}

async function* withRatings(
  folder: string,
  light: ReadonlyMap<string, LightPair>,
  wanted: ReadonlySet<string>,
): AsyncGenerator<FeedbackRow, undefined> {
  const hasRatings = await exists(join(folder, RATINGS_FILE));
  const ratings = hasRatings ? ratingsByPrompt(folder, Object.keys(RATING_COLUMNS) as (keyof Rating)[]) : undefined;
  let next = await ratings?.next();
  for await (const completions of byPrompt<Completion>(join(folder, COMPLETIONS_FILE))) {
    const { prompt_id, prompt } = completions[0] as Completion;
    const isRated = next?.done === false && next.value[0]?.prompt_id === prompt_id;
    const own: readonly Rating[] = isRated ? (next?.value as readonly Rating[]) : [];
    const pair = wanted.has(prompt_id) ? light.get(prompt_id) : undefined;
    if (pair !== undefined) yield rowOf(pair, prompt, completions, own);
    if (isRated) next = await ratings?.next();
  }
}

/** The lowest draws. */
function drawn(ids: readonly string[], rows: number | null, seed: number): ReadonlySet<string> {
  if (rows === null || ids.length <= rows) return new Set(ids);
  return new Set(hmacOrder(seed, 'review', ids, (id) => id).slice(0, rows));
}

async function* pairRows(folder: string): AsyncGenerator<PairRow> {
  let found = false;
  for (const split of SPLITS) {
    const opened = await openSplit(folder, { split }).catch(noSuchSplit);
    if (opened === undefined) continue;
    found = true;
    for await (const { row } of placedRows(opened)) {
      const pair = row === undefined ? undefined : pairOf(row);
      // a row that training cannot use is no pair
      if (pair !== undefined) yield { ...pair, split };
    }
  }
  if (!found)
    throw new ZephyrError('Cannot find pairs in the artifact: expected the splits train_prefs and test_prefs', {
      hint: 'the feedback that a run of zephyr made has them; zephyr status lists the runs',
    });
}

/** A pair in the columns of ultrafeedback_binarized; undefined where a row holds none. */
function pairOf(row: Row): Omit<PairRow, 'split'> | undefined {
  const { chosen, rejected, prompt } = row;
  if ([chosen, rejected].every(isTurns) && typeof prompt === 'string') return row as unknown as PairRow;
  const found = preferenceOf(row);
  if (!found.ok) return undefined;
  const asked = found.chosen.find(({ role }) => role === 'user')?.content ?? '';
  return { ...row, prompt: asked, chosen: found.chosen as Pair['chosen'], rejected: found.rejected as Pair['rejected'] };
}

function isTurns(value: unknown): boolean {
  return Array.isArray(value) && value.every((turn) => typeof turn?.role === 'string' && typeof turn?.content === 'string');
}

function noSuchSplit(error: unknown): Split | undefined {
  if (error instanceof ZephyrError) return undefined;
  throw error;
}

function rowOf(pair: LightPair, prompt: string, completions: readonly Completion[], ratings: readonly Rating[]): FeedbackRow {
  const { texts } = pair;
  const judged = (id: string | undefined) => judgedOf(ratings.filter(({ completion_id }) => completion_id === id));
  const answer = (side: 'chosen' | 'rejected'): FeedbackAnswer => {
    const completion = completions.find(({ completion_id, text }) =>
      texts === undefined ? completion_id === pair[`${side}_id`] : text === texts[side],
    );
    if (completion === undefined && texts === undefined)
      throw new ZephyrError(
        `Cannot show the pair of prompt "${pair.prompt_id}": its answer "${pair[`${side}_id`]}" is not there`,
      );
    const id = completion?.completion_id;
    return {
      ...{ id, judged: judged(id) },
      text: texts?.[side] ?? completion?.text ?? '',
      model: pair[`${side}_model`] ?? completion?.model ?? 'unknown',
      score: pair[`score_${side}`] ?? null,
      flags: completion?.flags ?? [],
    };
  };
  const [chosen, rejected] = [answer('chosen'), answer('rejected')];
  const others = completions
    .filter(({ completion_id }) => completion_id !== chosen.id && completion_id !== rejected.id)
    .map(({ completion_id: id, model, text, flags }) => ({ id, model, text, flags, judged: judged(id), score: null }));
  return {
    prompt_id: pair.prompt_id ?? prompt,
    ...{ prompt, chosen, rejected, others, ratings },
    split: pair.split,
    source: pair.source ?? null,
    margin: chosen.score === null || rejected.score === null ? null : chosen.score - rejected.score,
    disagreement: disagreement(ratings),
    lengthGap: chosen.text.length - rejected.text.length,
    flags: pair.flags ?? [],
  };
}

const textOf = (turns: Pair['chosen']): string => turns.at(-1)?.content ?? '';
const idOf = ({ prompt_id, prompt }: PairRow): string => prompt_id ?? prompt;

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
