import { type TokenBucket, tokenBucket } from './token-bucket.ts';

export interface LimitOptions {
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  /** What a full bucket holds, in seconds of the limit; 60, as if a minute had passed in silence. */
  readonly burstSeconds?: number;
  /**
   * What a request takes from the token bucket when it is admitted. `estimate` (the default): body characters / 4 +
   * max_tokens, given back nothing; `usage`: the tokens that its answer will report.
   */
  readonly tokenCharge?: 'estimate' | 'usage';
  /** Each model has buckets of its own; else all share. */
  readonly perModel?: boolean;
  /** 429 answers name `retry-after` (whole seconds) and `retry-after-ms`; true unless turned off. */
  readonly retryAfter?: boolean;
}

export interface Admission {
  readonly headers: Readonly<Record<string, string>>;
  /** Which limit refuses it, or nothing. */
  readonly refusedBy: 'requests' | 'tokens' | undefined;
}

/** Limits in OpenAI's manner: a request and a token bucket, named on every answer, 429 when either is too empty. */
export function loadLimits(options: LimitOptions): (model: string, tokens: number, nowMs: number) => Admission {
  const { requestsPerMinute, tokensPerMinute, burstSeconds = 60, perModel = false, retryAfter = true } = options;
  const make = (perMinute: number | undefined) => perMinute && tokenBucket({ perMinute, burstSeconds });
  const known = new Map<string, { requests: TokenBucket | undefined; tokens: TokenBucket | undefined }>();

  return (model, tokens, nowMs) => {
    const name = perModel ? model : '';
    let buckets = known.get(name);
    if (buckets === undefined) {
      buckets = { requests: make(requestsPerMinute) || undefined, tokens: make(tokensPerMinute) || undefined };
      known.set(name, buckets);
    }
    const waits = { requests: buckets.requests?.waitFor(1, nowMs) ?? 0, tokens: buckets.tokens?.waitFor(tokens, nowMs) ?? 0 };
    const refusedBy = waits.requests > 0 ? 'requests' : waits.tokens > 0 ? 'tokens' : undefined;
    if (refusedBy === undefined) {
      buckets.requests?.take(1, nowMs);
      buckets.tokens?.take(tokens, nowMs);
    }
    const headers: Record<string, string> = {};
    for (const kind of ['requests', 'tokens'] as const) {
      const bucket = buckets[kind];
      if (bucket === undefined) continue;
      headers[`x-ratelimit-limit-${kind}`] = String(bucket.perMinute);
      headers[`x-ratelimit-remaining-${kind}`] = String(Math.max(0, Math.floor(bucket.level(nowMs))));
      headers[`x-ratelimit-reset-${kind}`] = duration(bucket.untilFull(nowMs));
    }
    if (refusedBy !== undefined && retryAfter) {
      const waitMs = Math.ceil(Math.max(waits.requests, waits.tokens));
      headers['retry-after'] = String(Math.ceil(waitMs / 1000));
      headers['retry-after-ms'] = String(waitMs);
    }
    return { headers, refusedBy };
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
