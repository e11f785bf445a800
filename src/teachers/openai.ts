import OpenAI, { APIError } from 'openai';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import { readAnswer } from './body.ts';
import { lostFailure, statusFailure } from './failure.ts';
import { readReply } from './reply.ts';
import type { TeacherSpec } from './spec.ts';
import type { ChatAnswer, ChatRequest, Teacher } from './teacher.ts';

/** Under this name the server keeps the key of a call. */
const KEY = 'zephyr_key';

/**
 * Any server that speaks OpenAI's chat completions. The SDK would send a timed-out call, which may be billed, three
 * times; takes address, organization and project from the environment; logs; and its `.parse()` throws away the text and
 * the usage of a paid answer. All of that is off here: one request, one raw body.
 */
export function openaiTeacher(spec: TeacherSpec, baseUrl: string, secret: string | undefined): Teacher {
  const timeoutMs = spec.timeoutSeconds * 1000;
  const client = new OpenAI({
    apiKey: secret ?? 'none',
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    baseURL: baseUrl,
    timeout: timeoutMs,
    maxRetries: 0,
    logLevel: 'off',
  });

  return {
    name: `${spec.model} at ${baseUrl}`,
    concurrency: spec.concurrency,
    limits: {
      requestsPerMinute: spec.limits.requestsPerMinute,
      tokensPerMinute: spec.limits.tokensPerMinute,
    },
    price: spec.price,
    settleMs: spec.store ? timeoutMs : 0,

    async complete(request, signal) {
      const both = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      try {
        const response = await client.chat.completions.create(bodyOf(request, spec), { signal: both }).asResponse();
        return readAnswer(response.status, response.headers, await response.text());
      } catch (error) {
        return failed(error, both);
      }
    },

    async recover(key, model, signal) {
      if (!spec.store) return undefined;
      const both = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      try {
        const page = await client.chat.completions.list({ metadata: { [KEY]: key }, model, limit: 1 }, { signal: both });
        const stored = page.data[0];
        // A server without the filter lists everything it has: only an answer that names the key is ours.
        if (stored === undefined || (stored as { metadata?: Record<string, string> | null }).metadata?.[KEY] !== key)
          return undefined;
        const reply = readReply(stored, undefined);
        return reply === undefined ? undefined : { ok: true, reply };
      } catch (error) {
        return error instanceof APIError && (error.status === 404 || error.status === 405) ? undefined : failed(error, both);
      }
    },
  };
}

function bodyOf(request: ChatRequest, spec: TeacherSpec): ChatCompletionCreateParamsNonStreaming {
  return {
    model: request.model,
    messages: request.messages.map(({ role, content }) => ({ role, content })),
    temperature: request.temperature,
    top_p: request.top_p,
    [spec.tokenLimit]: request.max_tokens,
    ...(request.seed === undefined ? {} : { seed: request.seed }),
    ...(request.schema === undefined
      ? {}
      : {
          response_format: {
            type: 'json_schema',
            json_schema: { name: request.schema.name, schema: { ...request.schema.schema }, strict: true },
          },
        }),
    ...(spec.store ? { store: true, metadata: { [KEY]: request.key } } : {}),
  };
}

/** An abort, ours or the timeout's, closes the connection with the answer on its way: its outcome is unknown. */
function failed(error: unknown, signal: AbortSignal): ChatAnswer {
  if (error instanceof APIError && typeof error.status === 'number') {
    return { ok: false, failure: statusFailure(error.status, error.error ?? error.message, error.headers) };
  }
  return { ok: false, failure: lostFailure(signal.aborted ? signal.reason : error) };
}
