import OpenAI, { APIError } from 'openai';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import type { Dispatcher } from 'undici';
import { chatBody, readAnswer } from './body.ts';
import { withDeadline } from './deadline.ts';
import { lostFailure, statusFailure } from './failure.ts';
import { headersOf, readLimits } from './headers.ts';
import { fetchOver, openAgent } from './post.ts';
import type { TeacherSpec } from './spec.ts';
import { noStore, recoverFrom } from './stored.ts';
import type { ChatAnswer, Teacher } from './teacher.ts';
import { termsOf } from './terms.ts';

/**
 * The SDK would send a timed-out call, which may be billed, three times; takes address, organization and project from the
 * environment; and logs. All of that is off here. Without a dispatcher it uses the built-in `fetch`, which alone takes a file.
 */
export function openaiClient(spec: TeacherSpec, baseUrl: string, secret: string | undefined, dispatcher?: Dispatcher): OpenAI {
  return new OpenAI({
    apiKey: secret ?? 'none',
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    baseURL: baseUrl,
    timeout: spec.timeoutSeconds * 1000,
    maxRetries: 0,
    logLevel: 'off',
    ...(dispatcher === undefined ? {} : { fetch: fetchOver(dispatcher) }),
  });
}

/** Any server that speaks OpenAI's chat completions. `.parse()` would throw away the text and the usage of a paid answer. */
export function openaiTeacher(spec: TeacherSpec, baseUrl: string, secret: string | undefined): Teacher {
  const timeoutMs = spec.timeoutSeconds * 1000;
  const dispatcher = openAgent(spec.concurrency);
  const client = openaiClient(spec, baseUrl, secret, dispatcher);
  const access = { authorization: `Bearer ${secret ?? 'none'}` };

  return {
    ...termsOf(spec, baseUrl, secret),
    settleMs: spec.store ? timeoutMs : 0,

    complete: (request, signal) =>
      withDeadline(signal, timeoutMs, async (both) => {
        try {
          const body = chatBody(request, spec) as ChatCompletionCreateParamsNonStreaming;
          const response = await client.chat.completions.create(body, { signal: both }).asResponse();
          return readAnswer(response.status, headersOf(response.headers), await response.text());
        } catch (error) {
          return failed(error, both);
        }
      }),

    recover: spec.store ? recoverFrom({ dispatcher, baseUrl, headers: access, timeoutMs }) : noStore,
  };
}

/** An abort, ours or the timeout's, closes the connection with the answer on its way: its outcome is unknown. */
function failed(error: unknown, signal: AbortSignal): ChatAnswer {
  if (!(error instanceof APIError) || typeof error.status !== 'number')
    return { ok: false, failure: lostFailure(signal.aborted ? signal.reason : error) };
  const header = headersOf(error.headers ?? new Headers());
  const limits = readLimits(header);
  // The SDK keeps the member `error` of a body; of a body without it, the whole.
  const failure = statusFailure(error.status, { error: error.error ?? error.message }, header);
  return { ok: false, failure, ...(limits === undefined ? {} : { limits }) };
}
