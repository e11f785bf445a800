import { setMaxListeners } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { batchRoutes, openBatches } from './batches.ts';
import { chatRoutes } from './chat.ts';
import { invalid, type Route, send, sendRefusal } from './exchange.ts';
import { type Faults, NO_FAULTS } from './faults.ts';
import { fileRoutes, openFiles } from './files.ts';
import { MODELS, questionBankOf } from './reply.ts';
import type { PracticeState } from './state.ts';
import { openStored } from './stored.ts';

export interface PracticeOptions {
  /** of the world; the practice data must be made with the same */
  readonly seed?: number | string;
  /** 0 or none: any free port */
  readonly port?: number;
  /** JSON lines, one for each answered call; read again at the start, so that stored answers outlive the server, as batches do */
  readonly log?: string;
  /** The faults of the server; without it there are none. */
  readonly faults?: Faults;
  /** refuses calls without `Authorization: Bearer KEY` */
  readonly key?: string;
}

export interface PracticeServer {
  /** `http://127.0.0.1:PORT/v1` */
  readonly url: string;
  /** calls answered so far, those in the log at the start included */
  readonly answered: () => number;
  readonly close: () => Promise<void>;
}

/**
 * A teacher on this machine that speaks OpenAI's chat completions: it knows a small invented world, answers as several
 * personas (its model names), plays the user, and judges by checking.
 */
export async function startPracticeServer(options: PracticeOptions = {}): Promise<PracticeServer> {
  const seed = options.seed ?? 0;
  const stored = openStored(options.log);
  const closing = new AbortController();
  // every waiting batch listens to the signal, which is more than Node expects
  setMaxListeners(0, closing.signal);
  const state: PracticeState = {
    bank: questionBankOf(seed),
    stored,
    faults: options.faults ?? NO_FAULTS,
    closing: closing.signal,
  };
  const folder = options.log === undefined ? undefined : `${options.log}.files`;
  const files = openFiles(folder);
  const batches = openBatches(state, files, folder);
  const routes: readonly Route[] = [
    MODEL_LIST,
    ...chatRoutes(state),
    ...fileRoutes(files, state.faults),
    ...batchRoutes(batches, files),
  ];

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) =>
      sendRefusal(response, {
        status: 500,
        message: `The practice teacher failed: ${String(error)}`,
        type: 'server_error',
        code: null,
      }),
    );
  });
  server.keepAliveTimeout = 60_000;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (options.key !== undefined && request.headers.authorization !== `Bearer ${options.key}`) {
      return sendRefusal(response, invalid('Incorrect API key provided', 'invalid_api_key', 401));
    }
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://practice');
    const path = pathname.replace(/^\/v1/, '');
    for (const route of routes) {
      const parts = route.method === request.method ? route.path.exec(path) : null;
      if (parts !== null) return route.handle({ request, response, query }, ...parts.slice(1));
    }
    sendRefusal(response, invalid(`Unknown request URL: ${request.method} ${pathname}`, 'unknown_url', 404));
  }

  const port = await listen(server, options.port ?? 0);
  return {
    url: `http://127.0.0.1:${port}/v1`,
    answered: stored.answered,
    async close() {
      closing.abort();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await batches.close();
      await files.close();
      stored.close();
    },
  };
}

const MODEL_LIST: Route = {
  method: 'GET',
  path: /^\/models$/,
  handle: ({ response }) =>
    send(response, 200, {
      object: 'list',
      data: MODELS.map((id) => ({ id, object: 'model', created: 0, owned_by: 'practice' })),
    }),
};

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
