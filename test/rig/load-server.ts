import { hash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { makeAdmission, type PracticeLimits } from './limits.ts';
import { type LoadBody, loadLogprobs, loadText } from './load-reply.ts';
import { emptyTally, type LoadTally } from './load-tally.ts';

export interface LoadOptions extends Omit<PracticeLimits, 'per' | 'charge'> {
  /** What a request takes from the bucket of tokens, see `PracticeLimits.charge`; `estimate` unless it is set. */
  readonly tokenCharge?: 'estimate' | 'usage';
  /** Each model has buckets of its own; else all share. */
  readonly perModel?: boolean;
  readonly port?: number;
  /** Between request and answer. */
  readonly latencyMs?: number;
  /** Up to so much more, by the content, not by chance. */
  readonly jitterMs?: number;
  /** Length of an answer in prose. */
  readonly characters?: number;
  /** Only requests whose messages hold this text are counted by content; the others are `others` in the tally. */
  readonly countOnly?: string;
}

export interface LoadServer {
  /** Up to and with /v1. */
  readonly url: string;
  tally(): LoadTally;
  /** From now on `answeredAgain` counts the contents that were answered before this moment and are asked again. */
  mark(): void;
  close(): Promise<void>;
}

/**
 * A chat completions server that does little and always the same for a request, so that it measures its clients: it reads,
 * counts by content, waits and answers. Latency, limits and length of the answers can be set. It keeps answers of
 * requests that say `store`. `GET /tally` and `POST /mark` do for other processes what the methods do.
 */
export async function startLoadServer(options: LoadOptions = {}): Promise<LoadServer> {
  const { latencyMs = 0, jitterMs = 0, characters = 600, countOnly, tokenCharge = 'estimate' } = options;
  const limited = options.requestsPerMinute !== undefined || options.tokensPerMinute !== undefined;
  const admit = makeAdmission();
  const tally = emptyTally();
  /** Stored completions by each `name=value` of their metadata. */
  const stored = new Map<string, string>();

  function answer(raw: string, response: ServerResponse): void {
    const nowMs = performance.now();
    const body = JSON.parse(raw) as LoadBody;
    if (!Array.isArray(body.messages) || body.messages.length === 0) {
      refuse(response, 400, 'Empty input messages', {});
      return;
    }
    const content = JSON.stringify(body.messages);
    const digest = hash('sha1', body.model + content);
    const text = loadText(body, digest, characters);
    const promptTokens = Math.ceil(content.length / 4);
    const usage = { prompt: promptTokens, completion: Math.ceil(text.length / 4) };
    const most = body.max_completion_tokens ?? body.max_tokens ?? 0;
    const charge = tokenCharge === 'usage' ? usage.prompt + usage.completion : Math.ceil(raw.length / 4) + most;
    const counted = countOnly === undefined || content.includes(countOnly);
    tally.asked(counted, nowMs);
    const account = options.perModel === true ? body.model : '';
    const { headers, refusal } = limited ? admit(options, account, charge, nowMs) : { headers: {}, refusal: undefined };
    if (refusal !== undefined) {
      tally.refused(nowMs);
      refuse(response, 429, refusal.message, headers);
      return;
    }
    const send = () => {
      const completion = completionText(body, digest, text, usage);
      const heard = !response.destroyed && response.socket?.destroyed === false;
      tally.answered(counted, digest, usage.prompt + usage.completion, heard, performance.now());
      if (body.store === true) for (const pair of Object.entries(body.metadata ?? {})) stored.set(pair.join('='), completion);
      sendJson(response, 200, completion, { 'x-request-id': `req-${digest.slice(0, 16)}`, ...headers });
    };
    const delayMs = latencyMs + (jitterMs === 0 ? 0 : (Number.parseInt(digest.slice(-4), 16) / 65_536) * jitterMs);
    if (delayMs > 0) setTimeout(send, delayMs);
    else send();
  }

  const server = createServer((request, response) => {
    if (request.method === 'POST' && request.url?.endsWith('/chat/completions')) {
      void readBody(request)
        .then((raw) => answer(raw, response))
        .catch(() => refuse(response, 400, 'The body is not JSON', {}));
      return;
    }
    const url = new URL(request.url ?? '/', 'http://rig');
    if (url.pathname === '/tally') sendJson(response, 200, JSON.stringify(tally.read()), {});
    else if (url.pathname === '/mark') {
      tally.mark();
      sendJson(response, 200, '{}', {});
    } else if (url.pathname.endsWith('/chat/completions')) {
      const wanted = [...url.searchParams].flatMap(([name, value]) => {
        const key = /^metadata\[(.+)\]$/.exec(name)?.[1];
        return key === undefined ? [] : [`${key}=${value}`];
      });
      const found = wanted.map((pair) => stored.get(pair)).filter((each) => each !== undefined);
      const list = `{"object":"list","data":[${found.join(',')}],"has_more":false,"first_id":null,"last_id":null}`;
      sendJson(response, 200, list, {});
    } else if (url.pathname.endsWith('/models')) sendJson(response, 200, '{"object":"list","data":[]}', {});
    else refuse(response, 404, `Nothing at ${url.pathname}`, {});
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen({ port: options.port ?? 0, host: '127.0.0.1', backlog: 4096 }, resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    tally: () => tally.read(),
    mark: () => tally.mark(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve((chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).toString()));
    request.on('error', reject);
  });
}

function completionText(body: LoadBody, digest: string, text: string, usage: { prompt: number; completion: number }): string {
  const { prompt, completion } = usage;
  const message = `{"role":"assistant","content":${JSON.stringify(text)},"refusal":null}`;
  const logprobs = body.logprobs === true ? JSON.stringify(loadLogprobs(text)) : 'null';
  const choice = `{"index":0,"finish_reason":"stop","logprobs":${logprobs},"message":${message}}`;
  const used = `{"prompt_tokens":${prompt},"completion_tokens":${completion},"total_tokens":${prompt + completion}}`;
  const kept = body.store === true ? `,"metadata":${JSON.stringify(body.metadata ?? {})}` : '';
  const head = `"id":"chatcmpl-${digest.slice(0, 24)}","object":"chat.completion","created":1700000000`;
  return `{${head},"model":${JSON.stringify(body.model)},"choices":[${choice}],"usage":${used}${kept}}`;
}

function refuse(response: ServerResponse, status: number, message: string, headers: Readonly<Record<string, string>>): void {
  const code = status === 429 ? 'rate_limit_exceeded' : 'invalid_request_error';
  sendJson(response, status, JSON.stringify({ error: { message, type: code, param: null, code } }), headers);
}

function sendJson(response: ServerResponse, status: number, text: string, headers: Readonly<Record<string, string>>): void {
  const bytes = Buffer.from(text);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': bytes.length, ...headers });
  response.end(bytes);
}

/** As a process of its own: `node load-server.ts [--latencyMs 50] [--requestsPerMinute 10000] ...`. Prints its address. */
if (process.argv[1] === import.meta.filename) {
  const numbers = [
    'port',
    'latencyMs',
    'jitterMs',
    'characters',
    'requestsPerMinute',
    'tokensPerMinute',
    'burstSeconds',
  ] as const;
  const texts = ['countOnly', 'tokenCharge'] as const;
  const { values } = parseArgs({
    options: {
      ...Object.fromEntries([...numbers, ...texts].map((name) => [name, { type: 'string' as const }])),
      perModel: { type: 'boolean' },
      noRetryAfter: { type: 'boolean' },
    },
  });
  const { noRetryAfter, ...given } = values as Record<string, string | boolean>;
  for (const name of numbers) if (given[name] !== undefined) (given as Record<string, unknown>)[name] = Number(given[name]);
  const server = await startLoadServer({ ...given, retryAfter: noRetryAfter !== true } as LoadOptions);
  process.stdout.write(`${server.url}\n`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void server.close());
}
