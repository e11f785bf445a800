import * as z from 'zod';
import { labelsFor, ratingSchema, readRating, scaleOf, strictSchema } from './question.ts';
import { cutRationale, invalid, type JudgeReply, type ReadReply, readJson } from './reading.ts';
import type { ResponseFormat, SlotValue } from './response-format.ts';

/** All texts side by side, rated in one aspect. */
export function ratingsFormat(aspect: string, texts: number): ResponseFormat {
  const labels = labelsFor(texts);
  const entry = strictSchema({
    label: { type: 'string', enum: labels },
    rationale: { type: 'string' },
    rating: ratingSchema(scaleOf(aspect)),
  });
  const list = { type: 'array', items: entry, minItems: texts, maxItems: texts };
  return {
    slots: labels.map((_, position) => ({ position, aspect, against: null })),
    schema: { name: `${aspect}_ratings`, schema: strictSchema({ ratings: list }) },
    read: (reply) => readRatings(reply, labels, aspect),
  };
}

const body = z.strictObject({
  ratings: z.array(z.strictObject({ label: z.string(), rationale: z.string(), rating: z.union([z.number(), z.string()]) })),
});

/** Reads all labels, each once and with a rating of the scale, or nothing. Texts are told apart by label, never by position. */
function readRatings(reply: JudgeReply | undefined, labels: readonly string[], aspect: string): ReadReply<readonly SlotValue[]> {
  const parsed = readJson(reply, body);
  if (!parsed.ok) return parsed;
  const byLabel = new Map<string, SlotValue>();
  for (const { label, rationale, rating } of parsed.found.ratings) {
    if (!labels.includes(label)) return invalid('a label that was not given');
    if (byLabel.has(label)) return invalid('a label twice');
    const read = readRating(rating, scaleOf(aspect));
    if (read === undefined) return invalid('a rating off the scale');
    byLabel.set(label, { ...read, value: read.rating, mass: null, rationale: cutRationale(rationale) });
  }
  const found = labels.flatMap((label) => byLabel.get(label) ?? []);
  return found.length === labels.length ? { ok: true, found } : invalid('a label is missing');
}
