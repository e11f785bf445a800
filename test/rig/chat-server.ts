import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ChatBody {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly store?: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

export interface Asked {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: ChatBody;
  /** counts from 1 over all chat requests */
  readonly number: number;
}

/** What a scripted server does with a request; nothing set: it answers `echo: LAST MESSAGE`. */
export interface Doing {
  /** or in parts, as some servers give it */
  readonly text?: string | null | readonly object[];
  readonly refusal?: string;
  readonly finish?: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** member `logprobs` of the choice, as it is */
  readonly logprobs?: unknown;
  readonly usage?: unknown;
  /** packs the bytes of the answer */
  readonly pack?: (bytes: Buffer) => Buffer;
  /** sent as it is, in place of a chat completion */
  readonly rawBody?: string | Buffer;
  readonly delayMs?: number;
  /** The answer waits for it: what has to come before, whatever the speed of the machine. */
  readonly after?: Promise<unknown>;
  /** closes the connection before the answer, within it, or never answers, or never ends its answer */
  readonly trouble?: 'cut' | 'cut-body' | 'stall' | 'stall-body';
}

export interface ChatServer {
  readonly url: string;
  readonly asked: Asked[];
  /** How often each last message was answered with 200, read by the client or not: what a provider would bill. */
  readonly billed: Map<string, number>;
  /** connections opened so far */
  connections(): number;
  close(): Promise<void>;
}

/** How a scripted server behaves when it is asked for what it stored; `all`: it knows no filter. */
export interface Storing {
  readonly status?: number;
  readonly all?: boolean;
}

/** What a scripted server speaks: scripts and tests see all of it as OpenAI's chat completions. */
export interface Protocol {
  /** what was asked, and the header `authorization` that it amounts to */
  request(body: unknown, headers: IncomingMessage['headers']): { body: ChatBody; authorization: string | undefined };
  answer(said: ReturnType<typeof completion>): unknown;
}

const OPENAI: Protocol = {
  request: (body, { authorization }) => ({ body: body as ChatBody, authorization }),
  answer: (said) => said,
};

/** A server that speaks chat completions, or another protocol, does as it is told, counts, and keeps answers of requests that say `store`. */
export async function startChatServer(
  script: (asked: Asked) => Doing = () => ({}),
  storing: Storing = {},
  protocol: Protocol = OPENAI,
): Promise<ChatServer> {
  const asked: Asked[] = [];
  const billed = new Map<string, number>();
  const stored: (ReturnType<typeof completion> & { metadata: Readonly<Record<string, string>> })[] = [];

  async function chat(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { body, authorization } = protocol.request(JSON.parse(Buffer.concat(chunks).toString()), request.headers);
    const entry = { path: request.url ?? '', headers: { ...request.headers, authorization }, body, number: asked.length + 1 };
    asked.push(entry);
    const doing = script(entry);
    if (doing.trouble === 'stall') return;
    if (doing.trouble === 'cut') return void response.socket?.destroy();
    await doing.after;
    await sleep(doing.delayMs ?? 0);
    const status = doing.status ?? 200;
    const answer = completion(body, doing, entry.number);
    if (status === 200) {
      const last = body.messages.at(-1)?.content ?? '';
      billed.set(last, (billed.get(last) ?? 0) + 1);
      if (body.store === true) stored.push({ ...answer, metadata: body.metadata ?? {} });
    }
    const said = status === 200 ? protocol.answer(answer) : { error: { message: `scripted ${status}` } };
    const bytes = Buffer.from(doing.rawBody ?? JSON.stringify(said));
    const text = doing.pack === undefined ? bytes : doing.pack(bytes);
    response.writeHead(status, {
      'content-type': 'application/json',
      'x-request-id': `req-${entry.number}`,
      'content-length': String(Buffer.byteLength(text)),
      ...doing.headers,
    });
    if (doing.trouble === 'cut-body') response.write(text.subarray(0, 20), () => response.socket?.destroy());
    else if (doing.trouble === 'stall-body') response.write(text.subarray(0, 20));
    else response.end(text);
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://rig');
    if (request.method === 'POST') void chat(request, response).catch(() => response.destroy());
    else {
      const key = url.searchParams.get('metadata[zephyr_key]');
      const data = stored.filter(({ metadata }) => storing.all === true || key === null || metadata.zephyr_key === key);
      response.writeHead(storing.status ?? 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ object: 'list', data, has_more: false, first_id: null, last_id: null }));
    }
  });
  // longer than any pause of a client, so that no connection is closed just when it is used again
  server.keepAliveTimeout = 60_000;
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    billed,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function completion(body: ChatBody, { text, refusal, finish, logprobs, usage }: Doing, number: number) {
  return {
    id: `chatcmpl-${number}`,
    object: 'chat.completion',
    created: 0,
    model: body.model,
    choices: [
      {
        index: 0,
        finish_reason: finish ?? 'stop',
        message: {
          role: 'assistant',
          content: text === undefined ? `echo: ${body.messages.at(-1)?.content}` : text,
          refusal: refusal ?? null,
        },
        ...(logprobs === undefined ? {} : { logprobs }),
      },
    ],
    usage: usage ?? { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
  };
}
