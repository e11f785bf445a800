import { type Scale, scaleOf } from './question.ts';
import { invalid, type JudgeReply, type ReadReply, unreadable } from './reading.ts';
import type { ResponseFormat, SlotValue } from './response-format.ts';

/** Alternatives of the first token to ask for: the most that OpenAI gives. */
const TOP_LOGPROBS = 20;
/** A digit is one token; some servers also count the tokens that frame a turn. */
const DIGIT_TOKENS = 4;
/** How far the probabilities of a server may be off by its rounding. */
const SLACK = 0.001;
export const NO_LOGPROBS = 'the server sends no log-probabilities';

/** One text alone, rated by a single digit. */
export function expectedFormat(aspect: string, minMass: number): ResponseFormat {
  return {
    slots: [{ position: 0, aspect, against: null }],
    topLogprobs: TOP_LOGPROBS,
    maxTokens: DIGIT_TOKENS,
    read(reply) {
      const read = readExpected(reply, aspect, minMass);
      return read.ok ? { ok: true, found: [read.found] } : read;
    },
  };
}

/**
 * The rating that the judge's first token stands for in the mean: the probabilities of the digits 1 to 5 among the
 * alternatives, divided by their sum, times the digits. Where the aspect may not apply, the digit 0 says so when it is
 * likelier than all others together. Less than `minMass` on the digits is no rating. As ActiveUltraFeedback does
 * (arXiv 2603.09692), and G-Eval before it (arXiv 2303.16634).
 */
function readExpected(reply: JudgeReply | undefined, aspect: string, minMass: number): ReadReply<SlotValue> {
  const closed = unreadable(reply);
  if (closed !== undefined || reply === undefined) return closed ?? invalid('no reply');
  if (reply.text.trim() === '') return invalid('the reply is empty');
  if (reply.alternatives === undefined || reply.alternatives.length === 0) return invalid(NO_LOGPROBS);
  if (reply.alternatives.some(({ logprob }) => !(logprob <= SLACK))) return invalid('a log-probability above 0');
  const scale = scaleOf(aspect);
  const { chances, all } = chancesOf(reply.alternatives, scale);
  if (all > 1 + SLACK) return invalid('probabilities of more than 1 together');
  const written = digitOf(/^\s*\d(?=\s|\.?\s*$)/.exec(reply.text)?.[0] ?? '', scale);
  if (written === undefined) return invalid('no digit of the scale');
  const mass = [...chances.values()].reduce((sum, chance) => sum + chance, 0);
  if (mass < minMass || mass === 0) return invalid('too little probability on the digits');
  const none = chances.get(0) ?? 0;
  if (none > mass - none) return { ok: true, found: { rating: null, na: true, value: null, mass, rationale: null } };
  const rated = [...chances].filter(([digit]) => digit > 0);
  const value = rated.reduce((sum, [digit, chance]) => sum + digit * chance, 0) / (mass - none);
  return { ok: true, found: { rating: written === 0 ? null : written, na: false, value, mass, rationale: null } };
}

/** The probability of each digit of the scale, and that of all tokens together. */
function chancesOf(alternatives: NonNullable<JudgeReply['alternatives']>, scale: Scale) {
  const chances = new Map<number, number>();
  let all = 0;
  for (const { token, logprob } of alternatives) {
    const chance = Math.exp(logprob);
    all += chance;
    const digit = digitOf(token, scale);
    if (digit !== undefined) chances.set(digit, (chances.get(digit) ?? 0) + chance);
  }
  return { chances, all };
}

/** The digit of the scale that a token is, white space aside. */
function digitOf(token: string, { top, mayNotApply }: Scale): number | undefined {
  const digit = /^\s*\d\s*$/.test(token) ? Number(token) : undefined;
  return digit !== undefined && digit <= top && digit >= (mayNotApply ? 0 : 1) ? digit : undefined;
}
