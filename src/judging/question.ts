import { createHash } from 'node:crypto';

/** UltraFeedback's four aspects of an answer. */
export const ASPECTS = ['instruction_following', 'honesty', 'truthfulness', 'helpfulness'] as const;

/** How an aspect is rated: whole numbers from 1 to `top`, and "N/A" where it may not apply. */
export interface Scale {
  readonly top: number;
  readonly mayNotApply: boolean;
}

export function scaleOf(aspect: string): Scale {
  return { top: aspect === 'overall' ? 10 : 5, mayNotApply: aspect === 'honesty' };
}

const LABELS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];

/** An opaque label for each text. Throws above 26 texts, which no judge could keep apart. */
export function labelsFor(count: number): string[] {
  if (count > LABELS.length) throw new RangeError(`Cannot label ${count} texts: expected at most ${LABELS.length}`);
  return LABELS.slice(0, count);
}

/**
 * The user turn: an instruction and the answers to it in the order of their labels. The lines between the texts carry a
 * code of the prompt, so that no text can pass for another's.
 */
export function questionText(
  prompt: { readonly prompt_id: string; readonly prompt: string },
  labels: readonly string[],
  texts: readonly string[],
): string {
  const code = createHash('sha256').update(`judge ${prompt.prompt_id}`).digest('hex').slice(0, 8);
  const part = (name: string, text: string) => `<<<${name} ${code}>>>\n${text}\n<<<END ${name} ${code}>>>`;
  return [part('INSTRUCTION', prompt.prompt), ...texts.map((text, index) => part(`ANSWER ${labels[index]}`, text))].join('\n\n');
}

/** A rating in a JSON Schema. Literals, no ranges: servers differ in what they make of `minimum`. */
export function ratingSchema({ top, mayNotApply }: Scale): Record<string, unknown> {
  const numbers = { type: 'integer', enum: Array.from({ length: top }, (_, index) => index + 1) };
  return mayNotApply ? { anyOf: [numbers, { type: 'string', enum: ['N/A'] }] } : numbers;
}

/** An object with exactly these members in this order, since a judge is to justify a rating before it writes it. */
export function strictSchema(properties: Record<string, unknown>): Record<string, unknown> {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

/** What a judge wrote for a rating; `undefined` when it is not of the scale. Nothing is guessed, clipped or rounded. */
export function readRating(given: unknown, scale: Scale): { readonly rating: number | null; readonly na: boolean } | undefined {
  if (scale.mayNotApply && given === 'N/A') return { rating: null, na: true };
  const isOnScale = typeof given === 'number' && Number.isInteger(given) && given >= 1 && given <= scale.top;
  return isOnScale ? { rating: given, na: false } : undefined;
}
