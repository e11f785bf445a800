import type { IncomingMessage, ServerResponse } from 'node:http';

/** One request and the way to answer it. */
export interface HttpExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
}

/** `path` matches whole paths without `/v1`; its groups are handed to `handle`. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: RegExp;
  readonly handle: (exchange: HttpExchange, ...parts: readonly string[]) => void | Promise<void>;
}

/** An error in OpenAI's form. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly type: string;
  readonly code: string | null;
}

export const errorBody = ({ message, type, code }: Refusal) => ({ error: { message, type, param: null, code } });

export function invalid(message: string, code: string | null = null, status = 400): Refusal {
  return { status, message, type: 'invalid_request_error', code };
}

/** The body in full; `undefined` when it has more than `limit` bytes. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.destroyed) return;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers });
  response.end(text);
}

export function sendRefusal(response: ServerResponse, refusal: Refusal, headers: Readonly<Record<string, string>> = {}): void {
  send(response, refusal.status, errorBody(refusal), headers);
}
