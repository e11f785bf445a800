import type { ChatFailure } from './teacher.ts';

/** Codes and words by which servers say that no money is left, some of them with status 429: waiting does not help. */
const QUOTA =
  /insufficient_quota|billing_hard_limit_reached|exceeded your (current quota|monthly included credits)|payment required/i;

/** A body is at most quoted so far: it may hold the prompt. */
const QUOTED = 300;

/** What an HTTP status other than 2xx means for the call. `body` is parsed JSON or text, headers as the server sent them. */
export function statusFailure(status: number, body: unknown, headers: Headers | undefined): ChatFailure {
  const said = errorText(body);
  const message = `HTTP ${status}${said === '' ? '' : `: ${said}`}`;
  const afterMs = headers === undefined ? undefined : retryAfterMs(headers, Date.now());
  if (status === 401 || status === 402 || status === 403 || status === 404 || QUOTA.test(JSON.stringify(body ?? ''))) {
    return { kind: 'stop', message, status, afterMs: undefined };
  }
  if (status === 408 || status === 409 || status === 425 || status === 429 || status >= 500)
    return { kind: 'again', message, status, afterMs };
  return { kind: 'final', message, status, afterMs: undefined };
}

/** No connection came about, so nothing was sent. */
const UNSENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** No HTTP status arrived. Unless no connection came about, the server may have answered and billed all the same. */
export function lostFailure(error: unknown): ChatFailure {
  const unsent = causes(error).some((cause) => UNSENT.has(String((cause as NodeJS.ErrnoException).code)));
  return { kind: 'again', message: causeText(error), status: unsent ? 0 : undefined, afterMs: undefined };
}

/** `retry-after-ms`, else `retry-after` in seconds or as a date, in milliseconds from now. */
export function retryAfterMs(headers: Headers, now: number): number | undefined {
  const ms = Number.parseFloat(headers.get('retry-after-ms') ?? '');
  if (ms >= 0) return ms;
  const text = headers.get('retry-after');
  if (text === null) return undefined;
  const wait = /^[\d.]+$/.test(text.trim()) ? Number.parseFloat(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

function errorText(body: unknown): string {
  if (typeof body === 'string') return body.slice(0, QUOTED);
  if (body === null || typeof body !== 'object') return '';
  const { error, message, detail } = body as { error?: unknown; message?: unknown; detail?: unknown };
  for (const part of [error, message, detail]) {
    if (typeof part === 'string') return part.slice(0, QUOTED);
    if (part !== null && typeof part === 'object' && 'message' in part) return String(part.message).slice(0, QUOTED);
  }
  return '';
}

function causeText(error: unknown): string {
  const parts = causes(error).map((cause) => {
    const code = (cause as NodeJS.ErrnoException).code;
    return typeof code !== 'string' || cause.message.includes(code) ? cause.message : `${cause.message} (${code})`;
  });
  const text = [...new Set(parts.filter((part) => part !== ''))].join(': ');
  return (text === '' ? String(error) : text).slice(0, QUOTED);
}

/** fetch hides the reason in `cause`, at times two deep, and that of several addresses in `errors`. */
function causes(error: unknown, depth = 0): Error[] {
  if (!(error instanceof Error) || depth > 4) return [];
  const inner: unknown[] = error instanceof AggregateError ? error.errors : [];
  return [error, ...causes(error.cause, depth + 1), ...inner.flatMap((one) => causes(one, depth + 1))];
}
