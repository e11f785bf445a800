import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, type ZlibOptions } from 'node:zlib';
import { Agent, type Dispatcher, fetch, request } from 'undici';

/** An answer whose body has been read in full. */
export interface Posted {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly text: string;
}

interface JsonRequest {
  readonly url: string | URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal | null | undefined;
}

/**
 * Sends JSON text and reads the whole answer, which is asked for unpacked. Nothing is sent twice, not even where the server
 * says that it moved.
 */
export async function post(dispatcher: Dispatcher, { url, headers, body, signal = null }: JsonRequest): Promise<Posted> {
  const unpacked = { ...headers, 'accept-encoding': 'identity' };
  const answer = await request(url, { method: 'POST', headers: unpacked, body, signal, dispatcher });
  return { status: answer.statusCode, headers: answer.headers, text: await textOf(answer) };
}

const UNPACK: Readonly<Record<string, (packed: Buffer, options: ZlibOptions) => Promise<Buffer>>> = {
  gzip: promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
};

/** The body of an answer. Some gateways pack it although they were asked not to, which undici's `request` leaves as it is. */
export async function textOf({ headers, body }: Dispatcher.ResponseData): Promise<string> {
  const unpack = UNPACK[headers['content-encoding']?.toString().toLowerCase() ?? ''];
  if (unpack === undefined) return body.text();
  const bytes = await unpack(Buffer.from(await body.arrayBuffer()), { maxOutputLength: LONGEST_ANSWER });
  return bytes.toString('utf8');
}

/** `fetch` for an SDK. A POST of text goes the short way, which costs an SDK's call little more than half the time. */
export function fetchOver(dispatcher: Dispatcher): typeof globalThis.fetch {
  const usual = fetch as unknown as (input: unknown, init: object) => Promise<Response>;
  return async (input, init) => {
    if (init?.method !== 'POST' || typeof init.body !== 'string') return usual(input, { ...init, dispatcher });
    const url = input instanceof Request ? input.url : input;
    const sent = { url, headers: Object.fromEntries(new Headers(init.headers)), body: init.body, signal: init.signal };
    const { status, headers, text } = await post(dispatcher, sent);
    return new Response(text === '' ? null : text, { status, headers: headers as Record<string, string> });
  };
}

/** Longest answer, in bytes: one that never ends would fill the memory before its time is up. */
const LONGEST_ANSWER = 64 << 20;

/**
 * The connections of one teacher. undici gives up after five minutes without headers or without a further byte, whatever
 * the recipe allows, so both are off and `withDeadline` ends a call. HTTP/1.1 alone: one call a connection, and a broken
 * one takes no other call with it. Idle connections are kept 4 s (undici's default), less than servers keep them.
 */
export function openAgent(connections: number): Agent {
  return new Agent({
    connections,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
    maxResponseSize: LONGEST_ANSWER,
  });
}
