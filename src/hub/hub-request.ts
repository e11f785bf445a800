import { setTimeout as sleep } from 'node:timers/promises';
import { HubApiError } from '@huggingface/hub';
import pRetry, { AbortError } from 'p-retry';
import { ZephyrError } from '../errors.ts';
import type { RepoId } from '../model/artifact.ts';

/** A Hub over HTTP and how to speak to it. */
export interface Remote {
  /** without a slash at the end */
  readonly url: string;
  readonly token: string;
  /** Sends a request; repeats what may be repeated, and waits where the Hub says so. */
  readonly fetch: typeof fetch;
  readonly pause: Pause;
}

/** Waits for so many milliseconds. */
export type Pause = (milliseconds: number) => Promise<unknown>;

export const MAX_TRIES = 8;
const LONGEST_WAIT_MS = 10 * 60_000;

export const realPause: Pause = (milliseconds) => sleep(milliseconds);

/** Half a second, doubled with each try and spread, at most half a minute. */
export function backoff(tries: number): number {
  return Math.min(30_000, 500 * 2 ** (tries - 1)) * (0.5 + Math.random());
}

/** Not Implemented, Insufficient Storage: no patience helps. */
const LASTING: ReadonlySet<number> = new Set([501, 507]);

class Again extends Error {
  readonly response: Response;
  readonly waitMs: number | undefined;

  constructor(response: Response, waitMs: number | undefined) {
    super(`status ${response.status}`);
    this.response = response;
    this.waitMs = waitMs;
  }
}

/**
 * Repeats a request after 429 (waiting as long as the Hub says) and, unless it is a commit, after 5xx and lost
 * connections: everything else here can be asked twice. The last answer is given back as it is.
 */
export function patientFetch(plain: typeof fetch, pause: Pause): typeof fetch {
  return async (input, init) => {
    const method = init?.method ?? 'GET';
    const repeatable = method !== 'POST' || !/\/commit\/[^/]*$/.test(String(input));
    const once = async (): Promise<Response> => {
      let response: Response;
      try {
        response = await plain(input, init);
      } catch (error) {
        throw repeatable ? error : new AbortError(error as Error);
      }
      if (response.status === 429) throw new Again(response, waitOf(response));
      if (response.status >= 500 && !LASTING.has(response.status) && repeatable) throw new Again(response, undefined);
      return response;
    };
    let last: Again | undefined;
    try {
      return await pRetry(once, {
        retries: MAX_TRIES - 1,
        minTimeout: 0,
        maxTimeout: 0,
        onFailedAttempt: async ({ error, attemptNumber, retriesLeft }) => {
          last = error instanceof Again ? error : undefined;
          if (retriesLeft > 0) await pause(last?.waitMs ?? backoff(attemptNumber));
          if (retriesLeft > 0) await last?.response.body?.cancel();
        },
      });
    } catch (error) {
      if (error instanceof Again) return error.response;
      throw error;
    }
  };
}

/** `Retry-After` in seconds, else the `t` of the draft `RateLimit` header: seconds until the window begins anew. */
function waitOf({ headers }: Response): number | undefined {
  const seconds = headers.get('Retry-After') ?? /\bt=(\d+)/.exec(headers.get('RateLimit') ?? '')?.[1];
  const wait = Number(seconds) * 1000;
  return seconds == null || !Number.isFinite(wait) ? undefined : Math.min(LONGEST_WAIT_MS, wait + Math.random() * 1000);
}

/** `/api/models/ORG/NAME` and so on. */
export function apiPath({ type, name }: RepoId): string {
  return `/api/${type}s/${name}`;
}

/** Asks the Hub for what its client library does not serve. `action` is what a Hub that does not answer stands in the way of. */
export async function ask(remote: Remote, action: string, method: string, path: string, body?: unknown): Promise<Response> {
  const headers = {
    Authorization: `Bearer ${remote.token}`,
    ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
  };
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

/** Whether nobody answered. `fetch` tells that as a TypeError. */
export function isLostConnection(error: unknown): boolean {
  return error instanceof TypeError && (error.cause !== undefined || /fetch failed|terminated|network/i.test(error.message));
}

/** An answer that is not a success, as a user should read it. */
export async function refusal(remote: Remote, action: string, response: Response): Promise<ZephyrError> {
  const text = await response.text().catch(() => '');
  let said = text.slice(0, 300);
  try {
    said = String((JSON.parse(text) as { error?: unknown }).error ?? said);
  } catch {
    // an error page of a proxy
  }
  return explained(remote, action, response.status, said);
}

/** What the client library throws, as a user should read it; what is no answer of the Hub is thrown as it is. */
export function explain(remote: Remote, action: string, error: unknown): unknown {
  const status = statusOf(error);
  if (status !== undefined) return explained(remote, action, status, (error as Error).message, error);
  if (!isLostConnection(error)) return error;
  return new ZephyrError(`Cannot ${action}, "${remote.url}" does not answer`, {
    exit: 'temporary',
    hint: 'Look at the network and run the command again; what is done is not done twice',
    cause: error,
  });
}

function explained(remote: Remote, action: string, status: number, said: string, cause?: unknown): ZephyrError {
  const told = said.replaceAll(/hf_[A-Za-z0-9]+/g, 'hf_***').replace(/\.+\s*$/, '');
  const message = `Cannot ${action}, "${remote.url}" answered ${status}: ${told}`;
  if (status === 401 || status === 403) {
    const hint =
      'Expected a token that may read and write the repos of this namespace; a gated model must also be asked for on its page';
    return new ZephyrError(message, { exit: 'preflight', hint, cause });
  }
  const temporary = (status === 409 || status === 429 || status >= 500) && status !== 501;
  const hint = `${status === 507 ? 'Free some space on the Hub, and run' : 'Run'} the command again; what is done is not done twice`;
  return new ZephyrError(message, { exit: temporary ? 'temporary' : 'preflight', ...(temporary ? { hint } : {}), cause });
}
