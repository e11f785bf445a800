import * as z from 'zod';
import { labelsFor, ratingSchema, readRating, scaleOf, strictSchema } from './question.ts';
import { cutRationale, invalid, type JudgeReply, type ReadReply, readJson } from './reading.ts';
import type { ResponseFormat, SlotValue } from './response-format.ts';

/** All texts side by side, rated in all aspects at once. */
export function jointFormat(aspects: readonly string[], texts: number): ResponseFormat {
  const labels = labelsFor(texts);
  const ratings = strictSchema(Object.fromEntries(aspects.map((aspect) => [aspect, ratingSchema(scaleOf(aspect))])));
  const entry = strictSchema({ label: { type: 'string', enum: labels }, rationale: { type: 'string' }, ratings });
  const list = { type: 'array', items: entry, minItems: texts, maxItems: texts };
  return {
    slots: labels.flatMap((_, position) => aspects.map((aspect) => ({ position, aspect, against: null }))),
    schema: { name: 'joint_ratings', schema: strictSchema({ ratings: list }) },
    read: (reply) => readJoint(reply, labels, aspects),
  };
}

const body = z.strictObject({
  ratings: z.array(
    z.strictObject({
      label: z.string(),
      rationale: z.string(),
      ratings: z.record(z.string(), z.union([z.number(), z.string()])),
    }),
  ),
});

/** Reads all labels, each once and with a rating in every aspect and in no other, or nothing. */
function readJoint(
  reply: JudgeReply | undefined,
  labels: readonly string[],
  aspects: readonly string[],
): ReadReply<readonly SlotValue[]> {
  const parsed = readJson(reply, body);
  if (!parsed.ok) return parsed;
  const byLabel = new Map<string, readonly SlotValue[]>();
  for (const { label, rationale, ratings } of parsed.found.ratings) {
    if (!labels.includes(label)) return invalid('a label that was not given');
    if (byLabel.has(label)) return invalid('a label twice');
    const own = readAspects(ratings, aspects, rationale);
    if (!own.ok) return own;
    byLabel.set(label, own.found);
  }
  return byLabel.size === labels.length
    ? { ok: true, found: labels.flatMap((label) => byLabel.get(label) ?? []) }
    : invalid('a label is missing');
}

function readAspects(
  ratings: Readonly<Record<string, unknown>>,
  aspects: readonly string[],
  rationale: string,
): ReadReply<readonly SlotValue[]> {
  if (Object.keys(ratings).some((name) => !aspects.includes(name))) return invalid('an aspect that was not asked for');
  const found: SlotValue[] = [];
  for (const aspect of aspects) {
    if (!Object.hasOwn(ratings, aspect)) return invalid('an aspect is missing');
    const read = readRating(ratings[aspect], scaleOf(aspect));
    if (read === undefined) return invalid('a rating off the scale');
    found.push({ ...read, value: read.rating, mass: null, rationale: cutRationale(rationale) });
  }
  return { ok: true, found };
}
