import { setTimeout as delay } from 'node:timers/promises';
import { completionOf, countTokens, cut, promptTokensOf } from './completion.ts';
import { errorBody, invalid, type Refusal } from './exchange.ts';
import type { Admission } from './limits.ts';
import { logprobsOf } from './logprobs.ts';
import { type Fault, type Misbehaviour, parseMisbehaviour } from './misbehaviour.ts';
import { replyText } from './reply.ts';
import { type ChatBody, chatRequest, type Reply } from './requests.ts';
import { spoil } from './spoil.ts';
import type { PracticeState } from './state.ts';

/** The answer to a chat request, before anything of it is sent. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** What goes wrong while it is sent, if anything. */
  readonly fault: Misbehaviour | undefined;
}

/**
 * Answers the body of a chat request, which is JSON text: with what the model says, spoilt as the rules want it, or with an
 * error. An answer of status 200 is counted and in the log when this returns, whether or not anybody hears it. `rules` are
 * the request's own; `key` is whose limits a minute hold, none without it.
 */
export async function answerChat(state: PracticeState, text: string, rules = '', key?: string): Promise<Answered> {
  const body = parseBody(text);
  if (body === undefined) return refused(invalid('The body is not a chat completion request'));
  if (body.stream === true) return refused(invalid('The practice teacher does not stream', 'unsupported_value'));
  const [model = '', ownRules = ''] = body.model.split('+');
  const words = replyText(state.syllabus, model, body);
  if (words === undefined) return refused(invalid(`The model "${model}" does not exist`, 'model_not_found', 404));
  const reply = cut(words, body.max_completion_tokens ?? body.max_tokens ?? Number.POSITIVE_INFINITY);

  const faults = state.faultsOf([...state.always, ...parseMisbehaviour(ownRules), ...parseMisbehaviour(rules)], text);
  const fault = (...names: readonly Fault[]) => faults.find((rule) => names.includes(rule.fault));
  const { headers, refusal } = key === undefined ? FREE : admission(state, key, body, text, reply, fault);
  if (refusal !== undefined) return refused({ status: 429, code: 'rate_limit_exceeded', ...refusal }, headers);
  const latency = fault('latency');
  if (latency !== undefined) await delay(latency.value ?? 50);
  const refusing = faults.find((rule) => rule.fault in REFUSALS);
  if (refusing !== undefined) return refused(REFUSALS[refusing.fault] as Refusal, { ...headers, ...retryAfter(refusing.value) });

  const spoilt = faults.reduce<Reply>((whole, { fault: name }) => spoil(whole, name), reply);
  const logprobs = fault('no-logprobs') === undefined ? logprobsOf(body, spoilt.content) : undefined;
  const completion = completionOf(body, text, state.stored.answered(), spoilt, logprobs);
  state.stored.add({
    at: new Date().toISOString(),
    model: body.model,
    key: body.metadata?.zephyr_key ?? null,
    ...(body.store === true ? { completion } : {}),
  });
  return { status: 200, headers, body: completion, fault: fault('stall', 'drop', 'cut', 'broken-json', 'slow') };
}

const FREE: Admission = { headers: {}, refusal: undefined };

/** What the limits say. Rules may set them: `rpm=600`. */
function admission(
  { limits, admit }: PracticeState,
  key: string,
  body: ChatBody,
  text: string,
  reply: Reply,
  fault: (name: Fault) => Misbehaviour | undefined,
): Admission {
  const requestsPerMinute = fault('rpm')?.value ?? limits.requestsPerMinute;
  const tokensPerMinute = fault('tpm')?.value ?? limits.tokensPerMinute;
  if (requestsPerMinute === undefined && tokensPerMinute === undefined) return FREE;
  const tokens =
    limits.charge === 'estimate'
      ? Math.ceil(text.length / 4) + (body.max_completion_tokens ?? body.max_tokens ?? 0)
      : promptTokensOf(body) + countTokens(reply.content);
  const own = {
    ...limits,
    ...(requestsPerMinute === undefined ? {} : { requestsPerMinute }),
    ...(tokensPerMinute === undefined ? {} : { tokensPerMinute }),
    ...(fault('silent-429') === undefined ? {} : { retryAfter: false }),
  };
  return admit(own, limits.per === 'key' ? key : `${key} ${body.model}`, tokens, performance.now());
}

/** What the server says to calls that it refuses. */
const REFUSALS: Readonly<Partial<Record<Fault, Refusal>>> = {
  401: invalid('Incorrect API key provided', 'invalid_api_key', 401),
  402: { status: 402, message: 'Payment required', type: 'billing_error', code: null },
  403: { status: 403, message: 'Your account may not use this model', type: 'permission_error', code: null },
  404: invalid('The model does not exist or you do not have access to it', 'model_not_found', 404),
  408: { status: 408, message: 'Request timeout', type: 'server_error', code: null },
  429: { status: 429, message: 'Rate limit reached', type: 'rate_limit_error', code: null },
  500: { status: 500, message: 'The engine is overloaded', type: 'server_error', code: null },
  502: { status: 502, message: 'Bad gateway', type: 'server_error', code: null },
  503: { status: 503, message: 'The engine is overloaded', type: 'server_error', code: null },
  504: { status: 504, message: 'Gateway timeout', type: 'server_error', code: null },
  quota: { status: 429, message: 'You exceeded your current quota', type: 'insufficient_quota', code: 'insufficient_quota' },
};

/** Whole seconds, as HTTP has it; parts of one in OpenAI's header besides. */
function retryAfter(seconds: number | undefined): Readonly<Record<string, string>> {
  if (seconds === undefined) return {};
  const whole = { 'retry-after': String(Math.ceil(seconds)) };
  return Number.isInteger(seconds) ? whole : { ...whole, 'retry-after-ms': String(seconds * 1000) };
}

function refused(refusal: Refusal, headers: Readonly<Record<string, string>> = {}): Answered {
  return { status: refusal.status, headers, body: errorBody(refusal), fault: undefined };
}

function parseBody(text: string): ChatBody | undefined {
  try {
    return chatRequest.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
