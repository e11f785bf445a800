import { type TokenBucket, tokenBucket } from './token-bucket.ts';

export interface PracticeLimits {
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  /** What a full bucket holds, in seconds of the limit; 60: as much as if a minute had passed in silence. */
  readonly burstSeconds?: number;
  /** Whether a 429 names the time to wait; true. */
  readonly retryAfter?: boolean;
  /** `model`: every key has buckets of its own for every model, as at OpenAI; `key`: all models of a key share them. */
  readonly per?: 'model' | 'key';
  /**
   * What a call takes from the bucket of tokens. `usage`: the tokens that its answer reports; `estimate`: characters of the
   * body / 4 + the most tokens that the reply may have, none of which comes back.
   */
  readonly charge?: 'usage' | 'estimate';
}

export interface Admission {
  /** OpenAI's x-ratelimit-* headers, and those of a 429 where there is one */
  readonly headers: Readonly<Record<string, string>>;
  /** Why the call is refused, if it is. */
  readonly refusal: { readonly type: 'requests' | 'tokens'; readonly message: string } | undefined;
}

/** Lets a call in, or not: `account` names the buckets, `tokens` is what it costs, `now` milliseconds of a steady clock. */
export type Admit = (limits: PracticeLimits, account: string, tokens: number, now: number) => Admission;

/** Limits in OpenAI's manner: continuous buckets of requests and of tokens, named on every answer; 429 when one is too empty. */
export function makeAdmission(): Admit {
  const accounts = new Map<string, { readonly requests: TokenBucket | undefined; readonly tokens: TokenBucket | undefined }>();

  return (limits, account, tokens, now) => {
    const { requestsPerMinute, tokensPerMinute, burstSeconds = 60, retryAfter = true } = limits;
    const name = JSON.stringify([account, requestsPerMinute, tokensPerMinute, burstSeconds]);
    const buckets = accounts.get(name) ?? {
      requests: requestsPerMinute === undefined ? undefined : tokenBucket({ perMinute: requestsPerMinute, burstSeconds }),
      tokens: tokensPerMinute === undefined ? undefined : tokenBucket({ perMinute: tokensPerMinute, burstSeconds }),
    };
    accounts.set(name, buckets);
    const amounts = { requests: 1, tokens };
    const kinds = (['requests', 'tokens'] as const).flatMap((type) => {
      const found = buckets[type];
      return found === undefined ? [] : [{ type, found, wait: found.waitFor(amounts[type], now) }];
    });
    const short = kinds.find(({ type, found, wait }) => wait > 0 || amounts[type] > found.capacity);
    if (short === undefined) for (const { type, found } of kinds) found.take(amounts[type], now);

    const headers: Record<string, string> = {};
    for (const { type, found } of kinds) {
      headers[`x-ratelimit-limit-${type}`] = String(found.perMinute);
      headers[`x-ratelimit-remaining-${type}`] = String(Math.max(0, Math.floor(found.level(now))));
      headers[`x-ratelimit-reset-${type}`] = duration(found.untilFull(now));
    }
    if (short === undefined) return { headers, refusal: undefined };
    const { type, found } = short;
    const what = `on ${type} per min (${type === 'requests' ? 'RPM' : 'TPM'}): Limit ${found.perMinute}`;
    if (amounts[type] > found.capacity)
      return { headers, refusal: { type, message: `Request too large ${what}, Requested ${amounts[type]}.` } };
    const wait = Math.ceil(Math.max(...kinds.map((kind) => kind.wait)));
    if (retryAfter) {
      headers['retry-after'] = String(Math.ceil(wait / 1000));
      headers['retry-after-ms'] = String(wait);
    }
    return { headers, refusal: { type, message: `Rate limit reached ${what}. Please try again in ${duration(wait)}.` } };
  };
}

/** As OpenAI writes it: `8ms`, `1.25s`, `6m0s`. */
export function duration(ms: number): string {
  const whole = Math.ceil(ms);
  if (whole < 1000) return `${whole}ms`;
  const minutes = Math.floor(whole / 60_000);
  const seconds = `${(whole % 60_000) / 1000}s`;
  return minutes === 0 ? seconds : `${minutes}m${seconds}`;
}
