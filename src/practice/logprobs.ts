import { hmacUniform } from '../base/hmac-choice.ts';
import type { ChatBody } from './requests.ts';

interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

/** As OpenAI's chat completions have them: an entry for each token of the reply. */
export interface Logprobs {
  readonly content: readonly (TokenLogprob & { readonly top_logprobs: readonly TokenLogprob[] })[];
}

/** How much likelier a digit is than its neighbour that is further from the right one. */
const FALL = 4;
/** Other first tokens of a model that was told to write a digit. */
const OTHERS = ['The', 'Rating', '**', '"'];
/** The probability that these other tokens have together at most. */
const ASIDE = 0.1;

/**
 * The log-probabilities of a reply where the request asks for them. The first token of a rating by one digit has a
 * distribution around that digit, which is always the likeliest; part of it stands on the digit with a blank before it, as
 * real tokenizers have it. The same request gets the same numbers.
 */
export function logprobsOf(body: ChatBody, words: string): Logprobs | undefined {
  if (body.logprobs !== true) return undefined;
  const most = body.top_logprobs ?? 0;
  const tokens = words.match(/\s*\S+/g) ?? [];
  return {
    content: tokens.map((token, index) => {
      const chances = index === 0 ? firstToken(body, token) : new Map([[token, 0.95]]);
      const top = [...chances]
        .sort(([, a], [, b]) => b - a)
        .slice(0, most)
        .map(([each, chance]) => entry(each, chance));
      return { ...entry(token, chances.get(token) ?? 0), top_logprobs: top };
    }),
  };
}

function firstToken(body: ChatBody, token: string): Map<string, number> {
  const said = JSON.stringify([body.model, body.seed ?? null, body.messages]);
  const draw = (purpose: string) => hmacUniform('practice logprobs', purpose, said);
  const aside = ASIDE * draw('aside');
  const others = OTHERS.filter((other) => other !== token).map(
    (other, index) => [other, (aside * 3) / 4 ** (index + 1)] as const,
  );
  if (/^[mM]$/.test(token)) {
    // one of two names: the other one is what it could have been
    const chance = (1 - aside) * (0.6 + 0.35 * draw('name'));
    return new Map([[token, chance], [token === 'm' ? 'M' : 'm', 1 - aside - chance], ...others]);
  }
  if (!/^[1-5]$/.test(token)) return new Map([[token, 1 - ASIDE], ...others]);
  const weights = [1, 2, 3, 4, 5].map(
    (digit) => [String(digit), (0.75 + draw(`digit ${digit}`) / 2) / FALL ** Math.abs(digit - Number(token))] as const,
  );
  const sum = weights.reduce((total, [, weight]) => total + weight, 0);
  const digits = weights.flatMap(([digit, weight]) => {
    const chance = (weight / sum) * (1 - aside);
    return [[digit, chance * 0.97] as const, [` ${digit}`, chance * 0.03] as const];
  });
  return new Map([...digits, ...others]);
}

function entry(token: string, chance: number): TokenLogprob {
  return { token, logprob: Math.log(chance), bytes: [...Buffer.from(token)] };
}
