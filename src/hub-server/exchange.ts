import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Store } from '../store/store.ts';

/** What the server was started with. */
export interface Served {
  readonly store: Store;
  readonly token: string;
  /** Key of the upload addresses' signatures. */
  readonly secret: string;
  /** The one account's name: the namespace of a repo that is named without one. */
  readonly user: string;
}

/** One request on its way. */
export interface Exchange extends Served {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** `http://` and the address that the client asked for, checked: what addresses in answers begin with. */
  readonly origin: string;
  /** As it came, not decoded: clients differ in whether they encode the slash of a branch. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Called with an error that no client caused and that need not stop the request. */
  readonly onFault: (error: unknown) => void;
}

/** An answer that is not a success. `code` tells Python's client which error to raise: over http it does not guess. */
export class HttpError extends Error {
  readonly status: number;
  readonly code: ErrorCode | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    message: string,
    more: { code?: ErrorCode; headers?: Record<string, string>; body?: Record<string, unknown> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = more.code;
    this.headers = more.headers ?? {};
    this.body = more.body ?? {};
  }
}

type ErrorCode = 'RepoNotFound' | 'RevisionNotFound' | 'EntryNotFound';

export function sendJson(
  { response }: Exchange,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': bytes.length, ...headers });
  response.end(bytes);
}

/** The header that says where a list goes on, after the entry of this name. */
export function nextPage({ origin, path, query }: Exchange, last: string): Record<string, string> {
  const next = new URLSearchParams(query);
  next.set('cursor', Buffer.from(last).toString('base64url'));
  return { Link: `<${origin}${path}?${next}>; rel="next"` };
}

export function sendNothing({ response }: Exchange, status: number, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, headers);
  response.end();
}

export function sendError(exchange: Exchange, error: HttpError): void {
  sendJson(
    exchange,
    error.status,
    { error: error.message, ...error.body },
    {
      ...(error.code === undefined ? {} : { 'X-Error-Code': error.code }),
      // HTTP allows only Latin-1 without line ends in a header
      'X-Error-Message': error.message.replaceAll(/[^\x20-\x7e]/g, '?'),
      ...error.headers,
    },
  );
}
