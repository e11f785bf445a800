import { HubApiError } from '@huggingface/hub';
import { ZephyrError } from '../errors.ts';
import type { RepoId } from '../model/artifact.ts';
import { AwayError, HubAwayError, type Limit, type RetryPolicy } from './retry-policy.ts';

/** A Hub over HTTP and how to speak to it. */
export interface Remote {
  /** without a slash at the end */
  readonly url: string;
  /** undefined: the client reads only what is public */
  readonly token: string | undefined;
  /** Sends one request and repeats it while the Hub is away. The answer is read whole, so not for large files. */
  readonly fetch: typeof fetch;
  /** Sends it once. */
  readonly plain: typeof fetch;
  readonly retries: RetryPolicy;
  /** The folder for records of unfinished uploads; undefined: a killed upload begins anew. */
  readonly uploads: string | undefined;
  /** The folder for files of unfinished snapshots; undefined: they lie beside the files of the snapshot. */
  readonly downloads: string | undefined;
  /** bytes of a range of a file; a file of at least two is asked for in ranges, several at once */
  readonly rangeBytes: number;
}

/** One request to a Hub, or to a store behind a signed address. */
export interface HubRequest {
  readonly address: string;
  readonly init?: RequestInit;
  readonly limit?: Limit;
  /** Stops it: a transfer at once, an exchange after some grace. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of a file that were handed on, which are negative when a try failed. */
  readonly sent?: ((bytes: number) => void) | undefined;
}

/** Milliseconds without an answer, or in a transfer without a byte, after which a try is given up. */
const EXCHANGE: Limit = { ms: 60_000, isTransfer: false };
export const TRANSFER: Limit = { ms: 120_000, isTransfer: true };
/** A Hub checks what a commit or an upload consists of before it answers. */
export const SLOW_EXCHANGE: Limit = { ms: 300_000, isTransfer: false };

/** Not Implemented, Insufficient Storage: no retry helps. */
const LASTING: ReadonlySet<number> = new Set([501, 507]);
/** Request Timeout, Too Early, Too Many Requests: the request was not looked at. */
const NOT_LOOKED_AT: ReadonlySet<number> = new Set([408, 425, 429]);

/**
 * Sends a request that may be sent twice, and repeats it while the Hub is away. Hubs and the stores behind signed addresses
 * answer everything to a client that asks twice, but for a commit.
 */
export async function sendPatiently(remote: Pick<Remote, 'plain' | 'retries'>, request: HubRequest): Promise<Response> {
  const isExchange = request.limit?.isTransfer !== true;
  return await remote.retries.insist(() => tryOnce(remote, request, wholeAnswer), { isExchange, signal: request.signal });
}

/** One try: what may pass is thrown as an `AwayError`, every other answer is given to `use`, which may take its time. */
export async function tryOnce<T>(
  { plain, retries }: Pick<Remote, 'plain' | 'retries'>,
  request: HubRequest,
  use: (response: Response, alive: () => void) => Promise<T>,
): Promise<T> {
  const { address, init, limit = EXCHANGE, signal } = request;
  let sent = 0;
  try {
    return await retries.limited(limit, signal, async (own, alive) => {
      const count = (bytes: number): void => {
        alive();
        sent += bytes;
        request.sent?.(bytes);
      };
      const response = await plain(address, { ...init, ...streamed(init, count), signal: own });
      alive();
      const away = await awayOf(response, address);
      if (away !== undefined) throw away;
      return await use(response, alive);
    });
  } catch (error) {
    if (sent > 0) request.sent?.(-sent);
    throw lostConnection(error) ?? error;
  }
}

/** A file is sent piece by piece, so that one which gets through slowly is told from one that hangs. */
function streamed(init: RequestInit | undefined, count: (bytes: number) => void): RequestInit {
  const { body } = init ?? {};
  if (!(body instanceof Blob) || init?.method !== 'PUT') return {};
  const counted = body.stream().pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (piece, controller) => {
        count(piece.length);
        controller.enqueue(piece);
      },
    }),
  );
  const headers = new Headers(init.headers);
  // a store behind signed addresses refuses an upload that does not say its length beforehand
  headers.set('Content-Length', String(body.size));
  return { body: counted, headers, duplex: 'half' } as RequestInit;
}

/** Why another answer is to be waited for; `undefined` where this one is to be read. */
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

/** A question to the Hub itself. */
export interface Question {
  readonly method: string;
  /** after the Hub's address */
  readonly path: string;
  /** sent as JSON */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** Asks the Hub for what its client library does not serve. `action` is what a Hub that does not answer stands in the way of. */
export async function ask(remote: Remote, action: string, { method, path, body, signal }: Question): Promise<Response> {
  const headers = { ...authorization(remote), ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) };
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  return await send(remote, action, { address: remote.url + path, init, signal });
}

/** As `sendPatiently`, with an error that says what could not be done. */
export async function send(remote: Remote, action: string, request: HubRequest): Promise<Response> {
  return await sendPatiently(remote, request).catch((error: unknown) => {
    throw explain(remote, action, error);
  });
}

export function statusOf(error: unknown): number | undefined {
  return error instanceof HubApiError ? error.statusCode : undefined;
}

/** An answer that is not a success, as a user should read it. */
export async function refusal(remote: Remote, action: string, response: Response): Promise<ZephyrError> {
  const said = saidIn(await response.text().catch(() => ''));
  return explained(remote, action, { status: response.status, said });
}

/** What a body says: the `error` of a JSON one, the title of a page, else its beginning. */
export function saidIn(text: string): string | undefined {
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
    return explained(remote, action, { status, said: (error as Error).message.replace(/\.? URL: .*$/s, ''), cause: error });
  if (error instanceof HubAwayError && error.action === undefined)
    return new HubAwayError(remote.url, error.said, { action, hint: error.hint, cause: error });
  return error;
}

interface Refused {
  readonly status: number;
  readonly said: string | undefined;
  readonly cause?: unknown;
}

function explained(remote: Remote, action: string, { status, said, cause }: Refused): ZephyrError {
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
