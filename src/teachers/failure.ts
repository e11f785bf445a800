import { type HeaderOf, retryAfterMs } from './headers.ts';
import type { ChatFailure } from './teacher.ts';

/** Codes by which servers say that no money is left, most with status 429: waiting does not help. */
const QUOTA_CODES: ReadonlySet<string> = new Set([
  'insufficient_quota',
  'insufficient_user_quota',
  'insufficient_balance',
  'insufficient_credits',
  'billing_hard_limit_reached',
  'billing_not_active',
]);

/** The same in words. They count with these statuses alone: the error of a bad request may quote the prompt. */
const QUOTA_WORDS = /exceeded your (current quota|monthly included credits)|payment required|insufficient (credit|balance|fund)/i;
const QUOTA_STATUS: ReadonlySet<number> = new Set([403, 429]);

/** A call that has more tokens than the server admits in a minute is answered 429 however long one waits. */
const TOO_LARGE = /^Request too large\b/i;

const NO_ACCESS: ReadonlySet<number> = new Set([401, 403, 404]);
const TRANSIENT: ReadonlySet<number> = new Set([408, 409, 425, 429]);

/** What is too long or filtered is so for what is in it: the next call may be answered. */
const CONTENT_STATUS: ReadonlySet<number> = new Set([413, 451]);
const CONTENT_CODES =
  /context_length|string_above_max_length|prompt_too_long|request_too_large|content_filter|content_policy|invalid_prompt|ResponsibleAI|moderation|safety/i;
const CONTENT_WORDS =
  /\b(context|sequence|prompt|input) (length|window|size)\b|\b(prompt|inputs?|messages?|request|context|conversation|text)\b.{0,60}\b(too (long|large|many)|exceeds?|longer than)\b|too many (input )?tokens|`inputs` (tokens|must have)|content (management )?(policy|filter)|\b(flagged|moderation|safety system)\b/i;

/** Most characters of a body that are quoted: it may hold the prompt. */
const QUOTED = 300;

/** What an HTTP status other than 2xx means for the call. `body` is parsed JSON or text. */
export function statusFailure(status: number, body: unknown, header: HeaderOf | undefined): ChatFailure {
  const { said: all, codes } = errorOf(body);
  // The openai client puts the status before words that are no JSON.
  const said = all.replace(new RegExp(`^${status} `), '');
  const kind = kindOf(status, said, codes);
  const quoted = said === '' ? '' : `: ${said.slice(0, QUOTED).toWellFormed()}`;
  // If zephyr followed the redirect, it would send the key to an address that the recipe does not name.
  const moved = status < 400 && kind === 'stop' ? ` (moved to ${header?.('location') ?? 'nowhere'})` : '';
  const afterMs = kind === 'again' && header !== undefined ? retryAfterMs(header, Date.now()) : undefined;
  return { kind, message: `HTTP ${status}${quoted}${moved}`, status, afterMs };
}

function kindOf(status: number, said: string, codes: readonly string[]): ChatFailure['kind'] {
  const isQuota = codes.some((code) => QUOTA_CODES.has(code)) || (QUOTA_STATUS.has(status) && QUOTA_WORDS.test(said));
  if (status === 402 || isQuota) return 'quota';
  if (status < 400 || NO_ACCESS.has(status) || codes.includes('model_not_found')) return 'stop';
  if (status === 429 && TOO_LARGE.test(said)) return 'final';
  if (status >= 500 || TRANSIENT.has(status)) return 'again';
  const isContent = CONTENT_STATUS.has(status) || CONTENT_WORDS.test(said) || codes.some((code) => CONTENT_CODES.test(code));
  return isContent ? 'final' : 'refused';
}

/** No connection came about, or its certificate was not trusted, so nothing was sent. */
const UNSENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** No HTTP status arrived. Unless no connection came about, the server may have answered and billed all the same. */
export function lostFailure(error: unknown): ChatFailure {
  const unsent = causes(error).some((cause) => UNSENT.has(String((cause as NodeJS.ErrnoException).code)));
  return { kind: 'again', message: causeText(error), status: unsent ? 0 : undefined, afterMs: undefined };
}

/** What the error says, on one line, and the codes that it names itself by. Words in no place that is known are quoted as they are. */
function errorOf(body: unknown): { readonly said: string; readonly codes: readonly string[] } {
  if (typeof body === 'string') return { said: oneLine(body), codes: [] };
  if (body === null || typeof body !== 'object') return { said: '', codes: [] };
  const { error, message, detail, code, type } = body as Record<string, unknown>;
  const inner = error !== null && typeof error === 'object' ? (error as Record<string, unknown>) : {};
  const codes = [code, type, inner.code, inner.type].filter((each) => typeof each === 'string');
  const parts = [error, message, detail].filter((part) => part != null);
  const said = parts.map(wordsOf).find((words) => words !== undefined) ?? JSON.stringify(parts[0] ?? body);
  const { param } = inner;
  const named = typeof param !== 'string' || param === '' || said.includes(param) ? '' : ` (${param})`;
  return { said: oneLine(said === '{}' ? '' : `${said}${named}`), codes };
}

/** An error is a text, an object with a message, or, of FastAPI and thus vLLM and Mistral, a list of what is wrong where. */
function wordsOf(part: unknown): string | undefined {
  if (typeof part === 'string') return part;
  if (part === null || typeof part !== 'object') return undefined;
  if (Array.isArray(part))
    return part.length > 0 && part.every((each) => placed(each) !== undefined) ? part.map(placed).join('; ') : undefined;
  const { message, detail } = part as Record<string, unknown>;
  return wordsOf(message ?? detail);
}

function placed(fault: unknown): string | undefined {
  if (fault === null || typeof fault !== 'object') return undefined;
  const { loc, msg } = fault as Record<string, unknown>;
  return typeof msg === 'string' ? `${Array.isArray(loc) ? `${loc.join('.')}: ` : ''}${msg}` : undefined;
}

/** Nothing that moves a terminal's cursor, and no line break. */
function oneLine(text: string): string {
  return text.replaceAll(/[\s\p{Cc}\u2028\u2029]+/gu, ' ').trim();
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
