import { HubApiError } from '@huggingface/hub';
import { ZephyrError } from '../errors.ts';
import type { RepoId } from '../model/artifact.ts';
import { AwayError, HubAwayError, type RetryPolicy } from './retry-policy.ts';

/** A Hub over HTTP and how to speak to it. */
export interface Remote {
  /** without a slash at the end */
  readonly url: string;
  /** none: only what everybody may read */
  readonly token: string | undefined;
  /** Sends one request; repeats what may be repeated. Its answer is whole, so not for large files. */
  readonly fetch: typeof fetch;
  /** Sends it once. */
  readonly plain: typeof fetch;
  readonly retries: RetryPolicy;
  /** The folder where it is written down what was sent of large files; none: an upload that is killed begins anew. */
  readonly uploads: string | undefined;
  /** Told how many bytes of files went to or came from the Hub. */
  readonly moved: (bytes: number) => void;
}

/** Milliseconds without an answer, or in a transfer without a byte, after which a try is given up. */
const ANSWER_MS = 60_000;
const TRANSFER_MS = 120_000;
/** A Hub checks what a commit or an upload consists of before it answers. */
const SLOW_ANSWER_MS = 300_000;

/** Not Implemented, Insufficient Storage: no retry helps. */
const LASTING: ReadonlySet<number> = new Set([501, 507]);
/** Request Timeout, Too Early, Too Many Requests: the request was not looked at. */
const NOT_LOOKED_AT: ReadonlySet<number> = new Set([408, 425, 429]);

/** A commit that may have landed or not. */
export class UnclearError extends Error {
  readonly away: AwayError;

  constructor(away: AwayError) {
    super(away.message, { cause: away });
    this.away = away;
  }
}

/** A signed address of an upload that was refused: it has expired, or what it leads to is gone. A new one may be asked for. */
export class AddressError extends Error {
  readonly status: number;
  readonly said: string | undefined;

  constructor(status: number, said: string | undefined) {
    super(`status ${status}`);
    this.status = status;
    this.said = said;
  }
}

const EXPIRED: ReadonlySet<number> = new Set([400, 401, 403, 404, 410]);

/**
 * Repeats a request while the Hub is away, unless it is a commit: one that may have landed ends in an `UnclearError`. Hubs
 * and the stores behind signed addresses answer everything else here to who asks twice.
 */
export function patientFetch(plain: typeof fetch, retries: RetryPolicy): typeof fetch {
  return async (input, init) => {
    const method = init?.method ?? 'GET';
    const isCommit = method === 'POST' && /\/commit\/[^/?]*$/.test(String(input));
    const isTransfer = method === 'PUT';
    const isSigned = (method === 'PUT' || method === 'POST') && !isOwnAddress(String(input));
    const isSlow = isCommit || (method === 'POST' && isSigned);
    const limit = { ms: isTransfer ? TRANSFER_MS : isSlow ? SLOW_ANSWER_MS : ANSWER_MS, isTransfer };
    const attempt = async (): Promise<Response> => {
      try {
        const response = await tryOnce(plain, retries, limit, input, init, wholeAnswer);
        if (isSigned && EXPIRED.has(response.status)) throw new AddressError(response.status, saidIn(await response.text()));
        return response;
      } catch (error) {
        throw isCommit && error instanceof AwayError && !error.untouched ? new UnclearError(error) : error;
      }
    };
    return await retries.insist(attempt, !isTransfer);
  };
}

/** Addresses that the Hub itself answers, with JSON. */
function isOwnAddress(address: string): boolean {
  return /\/api\/(?!lfs\?)|\.git\/info\/lfs\//.test(address);
}

/** One try: what may pass is thrown as an `AwayError`, every other answer is given to `use`, which may take its time. */
export async function tryOnce<T>(
  plain: typeof fetch,
  retries: RetryPolicy,
  limit: { readonly ms: number; readonly isTransfer: boolean },
  input: Parameters<typeof fetch>[0],
  init: RequestInit | undefined,
  use: (response: Response, alive: () => void) => Promise<T>,
): Promise<T> {
  try {
    return await retries.limited(limit, async (own, alive) => {
      const signal = init?.signal == null ? own : AbortSignal.any([own, init.signal]);
      const response = await plain(input, { ...init, ...streamed(init, alive), signal });
      alive();
      const away = await awayOf(response, String(input));
      if (away !== undefined) throw away;
      return await use(response, alive);
    });
  } catch (error) {
    throw lostConnection(error) ?? error;
  }
}

/** A file is sent piece by piece, so that one which gets through slowly is told from one that hangs. */
function streamed(init: RequestInit | undefined, alive: () => void): RequestInit {
  const { body } = init ?? {};
  if (!(body instanceof Blob) || init?.method !== 'PUT') return {};
  const counted = body.stream().pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (piece, controller) => {
        alive();
        controller.enqueue(piece);
      },
    }),
  );
  const headers = new Headers(init.headers);
  // a store that takes signed addresses wants to know the length beforehand
  headers.set('Content-Length', String(body.size));
  return { body: counted, headers, duplex: 'half' } as RequestInit;
}

/** Why an answer is to be waited for another; `undefined` where it is to be read. */
async function awayOf(response: Response, address: string): Promise<AwayError | undefined> {
  const { status, headers } = response;
  const isPage = /^text\/html\b/i.test(headers.get('Content-Type') ?? '');
  if (NOT_LOOKED_AT.has(status) || (status >= 500 && !LASTING.has(status))) {
    const said = isPage ? undefined : saidIn(await response.text().catch(() => ''));
    return new AwayError(String(status), 'answer', { said, waitMs: waitOf(response), untouched: NOT_LOOKED_AT.has(status) });
  }
  const isFile = headers.has('X-Repo-Commit') || headers.has('X-Linked-Etag') || /\.html?$/.test(address);
  if (!response.ok || !isPage || isFile) return undefined;
  await response.body?.cancel();
  return new AwayError('a web page in place of its own data, as the log-in of a network or a proxy gives', 'portal');
}

/** The answer with all of its bytes. JSON that ends in the middle is no answer. */
async function wholeAnswer(response: Response): Promise<Response> {
  const { status, statusText, headers } = response;
  const bytes = await response.arrayBuffer();
  const whole = new Response(bytes.byteLength === 0 ? null : bytes, { status, statusText, headers });
  if (response.ok && /\bjson\b/.test(headers.get('Content-Type') ?? '') && bytes.byteLength > 0) {
    const isJson = await whole
      .clone()
      .json()
      .then(
        () => true,
        () => false,
      );
    if (!isJson) throw new AwayError('an answer that is cut short', 'no-answer');
  }
  return whole;
}

/** `Retry-After` in seconds or as a date, else the `t` of the draft `RateLimit` header: seconds until the window begins anew. */
function waitOf({ headers }: Response): number | undefined {
  const after = headers.get('Retry-After');
  const seconds = after ?? /\bt=(\d+)/.exec(headers.get('RateLimit') ?? '')?.[1];
  if (seconds == null) return undefined;
  const wait = /^\s*\d/.test(seconds) ? Number(seconds) * 1000 : Date.parse(seconds) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) + Math.random() * 1000 : undefined;
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'its name cannot be resolved',
  EAI_AGAIN: 'its name cannot be resolved',
  ENETUNREACH: 'network unreachable',
  EHOSTUNREACH: 'host unreachable',
  UND_ERR_CONNECT_TIMEOUT: 'no answer',
  UND_ERR_HEADERS_TIMEOUT: 'no answer',
  UND_ERR_BODY_TIMEOUT: 'no answer',
  ETIMEDOUT: 'no answer',
};

/** What a broken connection is thrown as: `fetch` tells it as a TypeError. A certificate does not become good by waiting. */
function lostConnection(error: unknown): Error | undefined {
  if (!(error instanceof TypeError) || !(error.cause !== undefined || /fetch failed|terminated|network/i.test(error.message)))
    return undefined;
  const { code = '', message = '' } = (error.cause ?? {}) as { code?: string; message?: string };
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO/.test(code)) {
    return new ZephyrError(`Cannot speak to the Hub safely: ${message}`, {
      exit: 'preflight',
      hint: 'look at the address; where the network has a certificate of its own, NODE_EXTRA_CA_CERTS names its file',
      cause: error,
    });
  }
  return new AwayError(WORDS[code] ?? 'connection lost', 'no-answer', { cause: error });
}

/** `/api/models/ORG/NAME` and so on. */
export function apiPath({ type, name }: RepoId): string {
  return `/api/${type}s/${name}`;
}

export function authorization({ token }: Remote): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}

/** Asks the Hub for what its client library does not serve. `action` is what a Hub that does not answer stands in the way of. */
export async function ask(remote: Remote, action: string, method: string, path: string, body?: unknown): Promise<Response> {
  const headers = { ...authorization(remote), ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) };
  return send(remote, action, remote.url + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** A request to an address that needs no token of ours. */
export async function send(remote: Remote, action: string, address: string, init: RequestInit): Promise<Response> {
  return remote.fetch(address, init).catch((error: unknown) => {
    throw explain(remote, action, error);
  });
}

export function statusOf(error: unknown): number | undefined {
  return error instanceof HubApiError ? error.statusCode : undefined;
}

/** An answer that is not a success, as a user should read it. */
export async function refusal(remote: Remote, action: string, response: Response): Promise<ZephyrError> {
  return explained(remote, action, response.status, saidIn(await response.text().catch(() => '')));
}

/** What a body says: the `error` of a JSON one, the title of a page, else its beginning. */
function saidIn(text: string): string | undefined {
  let said = text;
  try {
    said = String((JSON.parse(text) as { error?: unknown }).error ?? said);
  } catch {
    if (/^\s*</.test(text)) said = /<title>([^<]*)/i.exec(text)?.[1] ?? /<Message>([^<]*)/.exec(text)?.[1] ?? 'a web page';
  }
  return said.trim() === '' ? undefined : said.trim().slice(0, 300);
}

/** What the client library throws, as a user should read it; what is no answer of the Hub is thrown as it is. */
export function explain(remote: Remote, action: string, error: unknown): unknown {
  const status = statusOf(error);
  if (status !== undefined)
    return explained(remote, action, status, (error as Error).message.replace(/\.? URL: .*$/s, ''), error);
  if (error instanceof HubAwayError && error.action === undefined)
    return new HubAwayError(remote.url, error.said, { action, hint: error.hint, cause: error });
  return error;
}

function explained(remote: Remote, action: string, status: number, said: string | undefined, cause?: unknown): ZephyrError {
  const told = withoutSecrets(said ?? 'nothing').replace(/\.+\s*$/, '');
  const message = `Cannot ${action}, "${remote.url}" answered ${status}: ${told}`;
  if (status === 401 || status === 403) {
    const hint =
      remote.token === undefined
        ? 'Set HF_TOKEN to a token that may read it; a gated model must also be asked for on its page'
        : 'Expected a token that may read and write the repos of this namespace; a gated model must also be asked for on its page';
    return new ZephyrError(message, { exit: 'preflight', hint, cause });
  }
  const temporary = (status === 409 || status === 429 || status >= 500) && status !== 501;
  const hint = `${status === 507 ? 'Free some space on the Hub, and run' : 'Run'} the command again; what is done is not done twice`;
  return new ZephyrError(message, { exit: temporary ? 'temporary' : 'preflight', ...(temporary ? { hint } : {}), cause });
}

/** The query of a signed address is a permission, as a token is. */
export function withoutSecrets(text: string): string {
  return text.replaceAll(/hf_[A-Za-z0-9]+/g, 'hf_***').replaceAll(/(https?:\/\/[^\s?"']+)\?[^\s"']+/g, '$1?***');
}
