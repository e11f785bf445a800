import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { sha256 } from '../base/sha256.ts';
import { type Misbehaviour, makeFaults, parseMisbehaviour } from './misbehaviour.ts';
import { MODELS, replyText, syllabusOf } from './reply.ts';
import { type ChatBody, chatRequest, type Reply } from './requests.ts';
import { spoil } from './spoil.ts';
import { type Completion, openStored } from './stored.ts';

export interface PracticeOptions {
  /** of the world; the practice data must be made with the same */
  readonly seed?: number | string;
  /** 0 or none: any free port */
  readonly port?: number;
  /** JSON lines, one for each answered call; read again at the start, so that stored answers outlive the server */
  readonly log?: string;
  /** Rules for all calls, see `parseMisbehaviour`; a call brings its own in the header `x-practice-misbehave` or as `MODEL+RULES`. */
  readonly misbehave?: string;
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

/** The largest request that is read, in bytes. */
const BODY_LIMIT = 4 << 20;

/**
 * A teacher on this machine that speaks OpenAI's chat completions: it knows a small invented world, answers in several
 * manners (its model names), plays the user, and judges by checking.
 */
export async function startPracticeServer(options: PracticeOptions = {}): Promise<PracticeServer> {
  const syllabus = syllabusOf(options.seed ?? 0);
  const stored = openStored(options.log);
  const always = parseMisbehaviour(options.misbehave ?? '');
  const faultsOf = makeFaults(options.seed ?? 0);
  const stalled = new AbortController();

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) =>
      sendError(response, 500, `The practice teacher failed: ${String(error)}`, 'server_error', null),
    );
  });
  server.keepAliveTimeout = 60_000;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://practice');
    const path = url.pathname.replace(/^\/v1/, '');
    if (options.key !== undefined && request.headers.authorization !== `Bearer ${options.key}`) {
      return sendError(response, 401, 'Incorrect API key provided', 'invalid_request_error', 'invalid_api_key');
    }
    if (path === '/models' && request.method === 'GET')
      return send(response, 200, {
        object: 'list',
        data: MODELS.map((id) => ({ id, object: 'model', created: 0, owned_by: 'practice' })),
      });
    if (path === '/chat/completions' && request.method === 'POST') return complete(request, response);
    if (path === '/chat/completions' && request.method === 'GET') return send(response, 200, listed(url.searchParams));
    const found =
      path.startsWith('/chat/completions/') && request.method === 'GET'
        ? stored.find(path.slice('/chat/completions/'.length))
        : undefined;
    if (found !== undefined) return send(response, 200, found);
    return sendError(
      response,
      404,
      `Unknown request URL: ${request.method} ${url.pathname}`,
      'invalid_request_error',
      'unknown_url',
    );
  }

  async function complete(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await readBody(request);
    const body = text === undefined ? undefined : parseBody(text);
    if (body === undefined || text === undefined)
      return sendError(response, 400, 'The body is not a chat completion request', 'invalid_request_error', null);
    if (body.stream === true)
      return sendError(response, 400, 'The practice teacher does not stream', 'invalid_request_error', 'unsupported_value');
    const [model = '', ownRules = ''] = body.model.split('+');
    const words = replyText(syllabus, model, body);
    if (words === undefined)
      return sendError(response, 404, `The model "${model}" does not exist`, 'invalid_request_error', 'model_not_found');

    const faults = faultsOf([...always, ...parseMisbehaviour(ownRules), ...parseMisbehaviour(headerOf(request))], text);
    const fault = (name: Misbehaviour['fault']) => faults.find((rule) => rule.fault === name);
    const latency = fault('latency');
    if (latency !== undefined) await delay(latency.value ?? 50);
    for (const status of [429, 500, 503] as const) {
      const rule = fault(`${status}`);
      if (rule === undefined) continue;
      if (rule.value !== undefined) response.setHeader('retry-after', String(rule.value));
      return sendError(
        response,
        status,
        status === 429 ? 'Rate limit reached' : 'The engine is overloaded',
        status === 429 ? 'rate_limit_error' : 'server_error',
        null,
      );
    }
    if (fault('quota') !== undefined)
      return sendError(response, 429, 'You exceeded your current quota', 'insufficient_quota', 'insufficient_quota');

    const limit = body.max_completion_tokens ?? body.max_tokens ?? Number.POSITIVE_INFINITY;
    const completion = completionOf(
      body,
      text,
      stored.answered(),
      faults.reduce<Reply>((reply, { fault: name }) => spoil(reply, name), cut(words, limit)),
    );
    const at = new Date().toISOString();
    stored.add({
      at,
      model: body.model,
      key: body.metadata?.zephyr_key ?? null,
      ...(body.store === true ? { completion } : {}),
    });
    if (fault('stall') !== undefined) await stall(response);
    else if (fault('cut') !== undefined) cutOff(response, completion);
    else send(response, 200, completion);
  }

  function listed(query: URLSearchParams) {
    const metadata = Object.fromEntries(
      [...query].flatMap(([name, value]) => (/^metadata\[.+\]$/.test(name) ? [[name.slice(9, -1), value]] : [])),
    );
    const all = stored.list(query.get('model') ?? undefined, metadata);
    if (query.get('order') === 'desc') all.reverse();
    const from = all.findIndex(({ id }) => id === query.get('after')) + 1;
    const data = all.slice(from, from + Number(query.get('limit') ?? 20));
    return {
      object: 'list',
      data,
      first_id: data[0]?.id ?? null,
      last_id: data.at(-1)?.id ?? null,
      has_more: from + data.length < all.length,
    };
  }

  /** Sends nothing until the caller hangs up or the server closes. */
  async function stall(response: ServerResponse): Promise<void> {
    await new Promise<void>((resolve) => {
      response.once('close', resolve);
      stalled.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    response.destroy();
  }

  const port = await listen(server, options.port ?? 0);
  return {
    url: `http://127.0.0.1:${port}/v1`,
    answered: stored.answered,
    async close() {
      stalled.abort();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      stored.close();
    },
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(text: string): ChatBody | undefined {
  try {
    return chatRequest.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function headerOf(request: IncomingMessage): string {
  const value = request.headers['x-practice-misbehave'];
  return typeof value === 'string' ? value : '';
}

/** Tokens are counted as words here: enough to bill by. */
const countTokens = (text: string) => text.split(/\s+/).length;

function cut(words: string, limit: number): Reply {
  if (countTokens(words) <= limit) return { content: words, finishReason: 'stop' };
  return { content: words.split(/\s+/).slice(0, limit).join(' '), finishReason: 'length' };
}

function completionOf(body: ChatBody, text: string, count: number, reply: Reply): Completion {
  const promptTokens = body.messages.reduce((sum, { content }) => sum + countTokens(content) + 3, 0);
  const completionTokens = countTokens(reply.content);
  return {
    id: `chatcmpl-${sha256(`${count} ${text}`).slice(0, 24)}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: body.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: reply.refusal === undefined ? reply.content : null,
          refusal: reply.refusal ?? null,
        },
        finish_reason: reply.finishReason,
        logprobs: null,
      },
    ],
    usage: { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: promptTokens + completionTokens },
    ...(body.metadata == null ? {} : { metadata: body.metadata }),
  };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** Promises the whole body, sends half of it and hangs up. */
function cutOff(response: ServerResponse, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.write(text.slice(0, text.length / 2), () => response.destroy());
}

function sendError(response: ServerResponse, status: number, message: string, type: string, code: string | null): void {
  send(response, status, { error: { message, type, param: null, code } });
}
