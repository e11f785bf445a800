import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { Call } from '../../../calls/call.ts';
import type { ChatReply } from '../../../teachers/teacher.ts';
import { type CallFields, callOf } from '../../step-config.ts';
import type { RatingStatus } from '../tables.ts';

/** How an aspect is rated: whole numbers from 1 to `top`, and "N/A" where it may not apply. */
export interface Scale {
  readonly top: number;
  readonly mayNotApply: boolean;
}

export function scaleOf(aspect: string): Scale {
  return { top: aspect === 'overall' ? 10 : 5, mayNotApply: aspect === 'honesty' };
}

const LABELS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
export const labelsFor = (count: number): string[] => LABELS.slice(0, count);

/**
 * The question to the judge about texts in the order in which it sees them, under labels that say nothing. The lines
 * between the texts carry a code of the prompt, so that no text can pass for another's.
 */
export function judgeCall(
  fields: CallFields,
  purpose: string,
  aspect: string,
  instructions: string,
  prompt: { readonly prompt_id: string; readonly prompt: string },
  texts: readonly string[],
): Call {
  const labels = labelsFor(texts.length);
  const code = createHash('sha256').update(`judge ${prompt.prompt_id}`).digest('hex').slice(0, 8);
  const part = (name: string, text: string) => `<<<${name} ${code}>>>\n${text}\n<<<END ${name} ${code}>>>`;
  const content = [part('INSTRUCTION', prompt.prompt), ...texts.map((text, index) => part(`ANSWER ${labels[index]}`, text))].join(
    '\n\n',
  );
  return {
    ...callOf(fields, purpose, [
      { role: 'system', content: instructions },
      { role: 'user', content },
    ]),
    schema: { name: `${aspect}_ratings`, schema: ratingsSchema(labels, scaleOf(aspect)) },
  };
}

/** Literals, no ranges: servers differ in what they make of `minimum`. The rationale comes before the rating that it is to justify. */
function ratingsSchema(labels: readonly string[], { top, mayNotApply }: Scale): Record<string, unknown> {
  const numbers = { type: 'integer', enum: Array.from({ length: top }, (_, index) => index + 1) };
  const rating = mayNotApply ? { anyOf: [numbers, { type: 'string', enum: ['N/A'] }] } : numbers;
  const entry = strict({ label: { type: 'string', enum: labels }, rationale: { type: 'string' }, rating });
  return strict({ ratings: { type: 'array', items: entry, minItems: labels.length, maxItems: labels.length } });
}

function strict(properties: Record<string, unknown>): Record<string, unknown> {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

export interface Entry {
  readonly rating: number | null;
  readonly na: boolean;
  readonly rationale: string;
}
/** By label, or why there is nothing to read. */
export type Judgement =
  | { readonly ok: true; readonly entries: ReadonlyMap<string, Entry> }
  | { readonly ok: false; readonly status: Exclude<RatingStatus, 'ok'>; readonly why: string };

const body = z.object({
  ratings: z.array(z.object({ label: z.string(), rationale: z.string(), rating: z.union([z.number(), z.string()]) })),
});

/**
 * Reads a judge's reply: all labels, each once, each with a rating of the scale, or nothing at all. No rating is guessed,
 * shifted, clipped or made up, and texts are told apart by label, never by position.
 */
export function readJudgement(
  reply: Pick<ChatReply, 'text' | 'finishReason' | 'refusal'> | undefined,
  labels: readonly string[],
  scale: Scale,
): Judgement {
  if (reply === undefined) return { ok: false, status: 'missing', why: 'no reply' };
  if (reply.refusal !== undefined || reply.finishReason === 'content_filter')
    return { ok: false, status: 'refused', why: 'the judge refuses' };
  const invalid = (why: string): Judgement => ({ ok: false, status: 'invalid', why });
  if (reply.finishReason !== 'stop') return invalid(`the reply ended with "${reply.finishReason}"`);
  const parsed = body.safeParse(parse(reply.text));
  if (!parsed.success) return invalid('the reply is not the JSON that was asked for');
  const entries = new Map<string, Entry>();
  for (const { label, rationale, rating } of parsed.data.ratings) {
    if (!labels.includes(label)) return invalid('a label that was not given');
    if (entries.has(label)) return invalid('a label twice');
    const na = scale.mayNotApply && rating === 'N/A';
    const isOnScale = typeof rating === 'number' && Number.isInteger(rating) && rating >= 1 && rating <= scale.top;
    if (!na && !isOnScale) return invalid('a rating off the scale');
    entries.set(label, { rating: typeof rating === 'number' ? rating : null, na, rationale });
  }
  return entries.size === labels.length ? { ok: true, entries } : invalid('a label is missing');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
