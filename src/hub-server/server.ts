import { randomUUID, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { diskFull, ZephyrError } from '../errors.ts';
import { type Exchange, HttpError, type Served, sendError } from './exchange.ts';
import { openRoute, route } from './routes.ts';

interface HubServerOptions extends Omit<Served, 'user'> {
  /** Default: a free one. */
  readonly port?: number;
  /** Default `local`. */
  readonly user?: string;
  /** Called with an error that no client caused; the client hears only that there was one. */
  readonly onFault?: (error: unknown) => void;
}

export interface HubServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  close(): Promise<void>;
}

/** Clients reuse a connection that was idle for up to 5 s: the server must not be the one who ends it. */
const KEEP_ALIVE_MS = 75_000;

/**
 * The embedded Hub over HTTP, on the loopback interface only. A web page can reach such a server too: so the token is
 * asked for reads as well, the Host must be ours, and whatever names an Origin is refused.
 */
export async function startHubServer({
  port = 0,
  user = 'local',
  onFault = () => {},
  ...given
}: HubServerOptions): Promise<HubServer> {
  const served: Served = { ...given, user };
  const server = createServer((request, response) => {
    void answer(served, request, response, onFault);
  });
  // Node would end a request after five minutes, and an upload may take hours: its signature and its length bound it
  server.requestTimeout = 0;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new ZephyrError(`Cannot listen on port ${port}, another program does`, {
      exit: 'preflight',
      hint: 'name another one; --port 0 takes one that is free',
      cause: error,
    });
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  served: Served,
  request: IncomingMessage,
  response: ServerResponse,
  onFault: (error: unknown) => void,
): Promise<void> {
  const [path = '', search = ''] = (request.url ?? '').split(/\?(.*)/s);
  const exchange: Exchange = {
    ...served,
    request,
    response,
    origin: `http://${request.headers.host}`,
    path,
    query: new URLSearchParams(search),
    onFault,
  };
  response.setHeader('X-Request-Id', requestId(request));
  try {
    expectOwnHost(exchange);
    if (await openRoute(exchange)) return;
    expectToken(exchange);
    await route(exchange);
  } catch (error) {
    // the client has gone away: that is no fault, and the server can answer no more
    if (isGone(exchange, error)) return void response.destroy();
    if (!(error instanceof HttpError)) onFault(error);
    if (response.headersSent) response.destroy();
    else sendError(exchange, error instanceof HttpError ? error : asHttpError(error));
  }
}

/** Whether the client went away in the middle of its request or of the answer. */
function isGone({ request, response }: Exchange, error: unknown): boolean {
  const isCutOff = (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE' && !response.writableFinished;
  return isCutOff || (request.destroyed && !request.complete);
}

/** The client's own name of the request, which it sends as load balancers do, else a new one. */
function requestId({ headers }: IncomingMessage): string {
  const named = headers['x-request-id'] ?? headers['x-amzn-trace-id'];
  return typeof named === 'string' && /^[\w=;:.-]{1,200}$/.test(named) ? named : randomUUID();
}

/** 507 Insufficient Storage where the disk is full; everything else is a fault of ours. */
function asHttpError(error: unknown): HttpError {
  if (diskFull(error, 'write') !== undefined) return new HttpError(507, 'The disk of this Hub is full');
  return new HttpError(500, error instanceof Error ? error.message : 'Internal error');
}

function expectOwnHost({ request }: Exchange): void {
  const port = request.socket.localPort;
  if (!['127.0.0.1', 'localhost', '[::1]'].some((name) => request.headers.host === `${name}:${port}`)) {
    throw new HttpError(403, 'This Hub answers to its own address only');
  }
  if (request.headers.origin !== undefined) throw new HttpError(403, 'This Hub does not answer web pages');
}

function expectToken({ request, token, path }: Exchange): void {
  const given = Buffer.from((request.headers.authorization ?? '').replace(/^Bearer /i, ''));
  const expected = Buffer.from(token);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    // a client without a token is told that a private repo is not there, and clients know that by this code; a wrong token is a fault
    const ofRepo = given.length === 0 && /^\/api\/(models|datasets)\/.|\/(resolve|raw)\//.test(path);
    const code = ofRepo ? { code: 'RepoNotFound' as const } : {};
    throw new HttpError(401, "Expected this Hub's token, which lies in its folder", code);
  }
}
