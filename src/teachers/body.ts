import { statusFailure } from './failure.ts';
import { readReply } from './reply.ts';
import type { ChatAnswer } from './teacher.ts';

/** An HTTP answer whose body has been read in full, as an answer to the call. */
export function readAnswer(status: number, headers: Headers, text: string): ChatAnswer {
  const body = parse(text);
  if (status < 200 || status > 299) return { ok: false, failure: statusFailure(status, body ?? text, headers) };
  const requestId = headers.get('x-request-id') ?? undefined;
  const reply = body === undefined ? undefined : readReply(body, requestId);
  if (reply !== undefined) return { ok: true, reply };
  const message = `The answer is not a chat completion: ${JSON.stringify(text.slice(0, 120))}`;
  return { ok: false, failure: { kind: 'again', message, status, afterMs: undefined } };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
