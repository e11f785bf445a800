import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { send } from './exchange.ts';
import type { Misbehaviour } from './misbehaviour.ts';

/** Sends an answer, JSON text, of status 200 in the way that the rule wants it. */
export async function sendBadly(
  response: ServerResponse,
  { fault, value }: Misbehaviour,
  text: string,
  headers: Readonly<Record<string, string>>,
  closing: AbortSignal,
): Promise<void> {
  switch (fault) {
    case 'stall':
      return stall(response, closing);
    case 'drop':
      response.destroy();
      return;
    case 'cut':
      begin(response, text, headers);
      response.write(text.slice(0, text.length / 2), () => response.destroy());
      return;
    case 'slow':
      return trickle(response, text, headers, value ?? 1000, closing);
    case 'broken-json':
      return send(response, 200, text.slice(0, text.length / 2), headers);
    default:
      return send(response, 200, text, headers);
  }
}

function begin(response: ServerResponse, text: string, headers: Readonly<Record<string, string>>): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers });
}

/** Sends nothing until the caller hangs up or the server closes. */
async function stall(response: ServerResponse, closing: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const leave = () => {
      closing.removeEventListener('abort', leave);
      resolve();
    };
    response.once('close', leave);
    closing.addEventListener('abort', leave);
  });
  response.destroy();
}

const PIECES = 20;

/** The whole body, a piece at a time; `ms` milliseconds in all. */
async function trickle(
  response: ServerResponse,
  text: string,
  headers: Readonly<Record<string, string>>,
  ms: number,
  closing: AbortSignal,
): Promise<void> {
  begin(response, text, headers);
  const bytes = Buffer.from(text);
  const size = Math.ceil(bytes.length / PIECES);
  for (let at = 0; at < bytes.length && !response.destroyed && !closing.aborted; at += size) {
    response.write(bytes.subarray(at, at + size));
    await delay(ms / PIECES);
  }
  response.end();
}
