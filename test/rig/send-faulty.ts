import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { send } from '../../src/practice/exchange.ts';
import type { ChatOutcome } from '../../src/practice/faults.ts';
import type { FaultRule } from './fault-rules.ts';

/** Sends an answer of status 200 in the way that the rule wants it. */
export function sendFaulty(rule: FaultRule): ChatOutcome['send'] {
  return (response, _, body, headers = {}) => sendText(response, rule, JSON.stringify(body), headers);
}

async function sendText(
  response: ServerResponse,
  { fault, value }: FaultRule,
  text: string,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  switch (fault) {
    case 'stall':
      return stall(response);
    case 'drop':
      response.destroy();
      return;
    case 'cut':
      begin(response, text, headers);
      response.write(text.slice(0, text.length / 2), () => response.destroy());
      return;
    case 'slow':
      return trickle(response, text, headers, value ?? 1000);
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
async function stall(response: ServerResponse): Promise<void> {
  await once(response, 'close');
}

const PIECES = 20;

/** The whole body, a piece at a time; `ms` milliseconds in all. */
async function trickle(
  response: ServerResponse,
  text: string,
  headers: Readonly<Record<string, string>>,
  ms: number,
): Promise<void> {
  begin(response, text, headers);
  const bytes = Buffer.from(text);
  const size = Math.ceil(bytes.length / PIECES);
  for (let at = 0; at < bytes.length && !response.destroyed; at += size) {
    response.write(bytes.subarray(at, at + size));
    await delay(ms / PIECES);
  }
  response.end();
}
