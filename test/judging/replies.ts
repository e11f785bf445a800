import type { Rating } from '../../src/judging/rating.ts';
import type { JudgeReply } from '../../src/judging/reading.ts';
import type { ResponseFormat } from '../../src/judging/response-format.ts';

export const LABELS = ['A', 'B', 'C', 'D'];

export const replied = (text: string, finishReason = 'stop'): JudgeReply => ({ text, finishReason, refusal: undefined });
export const saying = (value: unknown): JudgeReply => replied(JSON.stringify(value));

/** A digit with the probabilities of a first token. */
export const digit = (text: string, chances: Readonly<Record<string, number>>): JudgeReply => ({
  ...replied(text),
  alternatives: Object.entries(chances).map(([token, chance]) => ({ token, logprob: Math.log(chance) })),
});

export const entry = (label: string, rating: unknown, rationale = 'because') => ({ label, rationale, rating });

/** The numbers that a format reads, or why it reads none. */
export function valuesOf(format: ResponseFormat, reply: JudgeReply | undefined): (number | null)[] | string {
  const reading = format.read(reply);
  return reading.ok ? reading.found.map(({ value }) => value) : reading.why;
}

export const ratingRow = (change: Partial<Rating>): Rating => {
  const value = change.value ?? change.rating ?? null;
  return {
    completion_id: 'p/a',
    prompt_id: 'p',
    aspect: 'helpfulness',
    judge: 'j',
    seat: 0,
    template_id: 't',
    template_sha256: '0',
    permutation: 0,
    position: 0,
    against: null,
    rating: null,
    mass: null,
    na: false,
    rationale: null,
    injection: false,
    status: 'ok',
    call_key: 'k',
    ...change,
    value,
  };
};
