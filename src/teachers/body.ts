import { statusFailure } from './failure.ts';
import { type HeaderOf, readLimits } from './headers.ts';
import { readReply } from './reply.ts';
import type { TeacherSpec } from './spec.ts';
import type { ChatAnswer, ChatFailure, ChatRequest } from './teacher.ts';

/** Under this name the server keeps the key of a call. */
export const KEY = 'zephyr_key';

/**
 * The body of a chat completion request. The server is asked under the model name that it knows: `request.model` is the
 * call's, which another server of the same model may know under another name.
 */
export function chatBody(request: ChatRequest, spec: Pick<TeacherSpec, 'model' | 'tokenLimit' | 'store'>) {
  return {
    model: spec.model,
    messages: request.messages.map(({ role, content }) => ({ role, content })),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.top_p === undefined ? {} : { top_p: request.top_p }),
    [spec.tokenLimit]: request.max_tokens,
    ...(request.seed === undefined ? {} : { seed: request.seed }),
    ...(request.top_logprobs === undefined ? {} : { logprobs: true, top_logprobs: request.top_logprobs }),
    ...(request.schema === undefined
      ? {}
      : {
          response_format: {
            type: 'json_schema' as const,
            json_schema: { name: request.schema.name, schema: { ...request.schema.schema }, strict: true },
          },
        }),
    ...(spec.store ? { store: true, metadata: { [KEY]: request.key } } : {}),
  };
}

/** An HTTP answer whose body has been read in full, as an answer to the call. */
export function readAnswer(status: number, header: HeaderOf, text: string): ChatAnswer {
  const limits = readLimits(header);
  const said = limits === undefined ? {} : { limits };
  const body = parse(text);
  if (status < 200 || status > 299) return { ok: false, failure: statusFailure(status, body ?? text, header), ...said };
  const reply = body === undefined ? undefined : readReply(body, header('x-request-id'));
  if (reply !== undefined) return { ok: true, reply, ...said };
  const message = `The answer is not a chat completion: ${JSON.stringify(text.slice(0, 120))}`;
  return { ok: false, failure: unread(message, unreadStatus(status, body)), ...said };
}

/** `status`: where the answer says that it is none. */
export function unread(message: string, status: number | undefined): ChatFailure {
  return { kind: 'again', message, status, afterMs: undefined, ...(status === undefined ? { isUnread: true } : {}) };
}

/** A success that cannot be read may have been billed all the same, unless it says that it is none. */
export function unreadStatus(status: number, body: unknown): number | undefined {
  const isError = body !== null && typeof body === 'object' && 'error' in body && body.error != null;
  return isError ? status : undefined;
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
