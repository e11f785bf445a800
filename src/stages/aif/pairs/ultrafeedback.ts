import * as z from 'zod';
import type { Row } from '../../../datasets/parquet.ts';
import { NOT_ASKED_HERE, type Rating } from '../../../judging/rating.ts';
import { promptId } from '../../step-config.ts';
import type { Completion } from '../tables.ts';

export const UF_ASPECTS = ['instruction_following', 'honesty', 'truthfulness', 'helpfulness'] as const;

const annotation = z.looseObject({ Rating: z.union([z.string(), z.number()]).nullish() });
const ufRow = z.looseObject({
  source: z.string().nullish(),
  instruction: z.string(),
  completions: z.array(
    z.looseObject({
      model: z.string(),
      response: z.string(),
      principle: z.string().nullish(),
      overall_score: z.union([z.number(), z.string()]).nullish(),
      /** An aspect that was never annotated is absent, null or an empty list in the published files. */
      annotations: z.record(z.string(), z.union([annotation, z.array(z.unknown()), z.null()])).nullish(),
    }),
  ),
});

/** A row of openbmb/UltraFeedback as completions and ratings. */
export interface RatedRow {
  readonly prompt_id: string;
  readonly prompt: string;
  readonly source: string;
  readonly completions: readonly Completion[];
  readonly ratings: readonly Rating[];
}

/** `undefined` when the row has not the columns of openbmb/UltraFeedback. */
export function readUltraFeedback(row: Row): RatedRow | undefined {
  const parsed = ufRow.safeParse(row);
  if (!parsed.success) return undefined;
  const { instruction: prompt, source, completions: answers } = parsed.data;
  const prompt_id = promptId(prompt);
  const completions: Completion[] = [];
  const ratings: Rating[] = [];
  for (const [index, answer] of answers.entries()) {
    const completion_id = `${prompt_id}/${index}-${answer.model}`;
    const unknown = { principle_sha256: null, temperature: null, top_p: null, max_tokens: null, cost_usd: null };
    const rest = { finish_reason: 'unknown', prompt_tokens: null, completion_tokens: null, flags: [], call_key: null };
    completions.push({
      completion_id,
      prompt_id,
      prompt,
      source: source ?? null,
      member: answer.model,
      model: answer.model,
      principle: answer.principle ?? null,
      text: answer.response,
      ...unknown,
      ...rest,
    });
    const given: [string, unknown, number][] = UF_ASPECTS.map((aspect) => [aspect, ratingIn(answer.annotations?.[aspect]), 5]);
    given.push(['overall', answer.overall_score, 10]);
    for (const [aspect, value, top] of given)
      ratings.push({
        completion_id,
        prompt_id,
        aspect,
        ...readRating(value, top),
        judge: 'gpt-4',
        // the published rows do not say where among the texts the judge saw an answer
        ...NOT_ASKED_HERE,
        injection: false,
      });
  }
  return { prompt_id, prompt, source: source ?? '', completions, ratings };
}

function ratingIn(value: unknown): unknown {
  return annotation.safeParse(value).data?.Rating;
}

/** A number on the scale, "N/A", or nothing: what cannot be read never becomes a number. */
export function readRating(value: unknown, top: number): Pick<Rating, 'rating' | 'value' | 'na' | 'status'> {
  const nothing = { rating: null, value: null, na: false };
  if (value === null || value === undefined) return { ...nothing, status: 'missing' };
  if (value === 'N/A') return { ...nothing, na: true, status: 'ok' };
  const rating = typeof value === 'number' ? value : /^\s*\d+(\.\d+)?\s*$/.test(String(value)) ? Number(value) : Number.NaN;
  return rating >= 1 && rating <= top ? { rating, value: rating, na: false, status: 'ok' } : { ...nothing, status: 'invalid' };
}
