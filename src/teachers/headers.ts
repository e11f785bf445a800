import type { LimitState, ServerLimits } from './teacher.ts';

/** A header of an answer by its lower-case name. */
export type HeaderOf = (name: string) => string | undefined;

export function headersOf(headers: { get(name: string): string | null }): HeaderOf {
  return (name) => headers.get(name) ?? undefined;
}

/** A date further ahead is not believed: a clock may be wrong. After this time the server is asked, and says it again. */
const LONGEST_UNTIL_MS = 3_600_000;

/**
 * `retry-after-ms`, else `retry-after` in seconds, however many, or as a date, in milliseconds from now. A date is by the
 * server's clock, which its own `date` tells, and ours where it does not. `undefined` for what names no time to come.
 */
export function retryAfterMs(header: HeaderOf, now: number): number | undefined {
  const ms = Number.parseFloat(header('retry-after-ms') ?? '');
  if (ms > 0 && Number.isFinite(ms)) return ms;
  const text = header('retry-after')?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(text)) return Number.parseFloat(text) * 1000 || undefined;
  const serverNow = Date.parse(header('date') ?? '');
  const until = Date.parse(text) - (Number.isFinite(serverNow) ? serverNow : now);
  return until > 0 ? Math.min(until, LONGEST_UNTIL_MS) : undefined;
}

/** OpenAI's x-ratelimit-* headers; `undefined` where the answer has none. */
export function readLimits(header: HeaderOf): ServerLimits | undefined {
  const requests = limitState(header, 'requests');
  const tokens = limitState(header, 'tokens');
  if (requests === undefined && tokens === undefined) return undefined;
  return { ...(requests === undefined ? {} : { requests }), ...(tokens === undefined ? {} : { tokens }) };
}

function limitState(header: HeaderOf, kind: 'requests' | 'tokens'): LimitState | undefined {
  const limit = count(header(`x-ratelimit-limit-${kind}`));
  const remaining = count(header(`x-ratelimit-remaining-${kind}`));
  if (limit === undefined || remaining === undefined || limit === 0) return undefined;
  const resetMs = durationMs(header(`x-ratelimit-reset-${kind}`));
  return isDaily(limit, remaining, resetMs) ? undefined : { limit, remaining, resetMs };
}

const LONGEST_MINUTE_MS = 600_000;
const DAY_MS = 86_400_000;

/**
 * Some servers say their limit of a day under the names of a minute's (Groq always, OpenAI for free accounts): it shows by
 * how long it takes until what was used is there again.
 */
function isDaily(limit: number, remaining: number, resetMs: number | undefined): boolean {
  if (resetMs === undefined) return false;
  const periodMs = (limit * resetMs) / Math.max(1, limit - remaining);
  return resetMs > LONGEST_MINUTE_MS || Math.abs(periodMs / DAY_MS - 1) < 0.05;
}

function count(text: string | undefined): number | undefined {
  const found = Number(text?.trim() || Number.NaN);
  return Number.isFinite(found) && found >= 0 ? found : undefined;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: DAY_MS };

/** `20ms`, `1.5s`, `6m0s`; a bare number is seconds. */
export function durationMs(text: string | undefined): number | undefined {
  const whole = text?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(whole)) return Number(whole) * 1000;
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(whole)) return undefined;
  const parts = [...whole.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)];
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS[unit ?? ''] ?? 0), 0);
}
