import { setTimeout as delay } from 'node:timers/promises';
import { countTokens, promptTokensOf } from '../../src/practice/completion.ts';
import { invalid, type Refusal, send } from '../../src/practice/exchange.ts';
import type { Faults, PracticeRequest } from '../../src/practice/faults.ts';
import type { Reply } from '../../src/practice/requests.ts';
import { type PracticeOptions, type PracticeServer, startPracticeServer } from '../../src/practice/server.ts';
import { batchFaults } from './batch-faults.ts';
import { corrupt } from './corrupt.ts';
import { type Fault, type FaultRule, faultDraws, parseFaults } from './fault-rules.ts';
import { type Admission, makeAdmission, type PracticeLimits } from './limits.ts';
import { sendFaulty } from './send-faulty.ts';

export interface FaultyOptions extends Omit<PracticeOptions, 'faults'> {
  /** Rules for all calls, see `parseFaults`; a call brings its own in the header `x-practice-faults` or as `MODEL+RULES`. */
  readonly faults?: string;
  /** Rules for batches, see `batchFaults`. */
  readonly batches?: string;
  /** What every key may do in a minute; anything without it. */
  readonly limits?: PracticeLimits;
}

/** The practice teacher with the faults of a real provider: limits, refusals, lost and broken answers, batches that fail. */
export async function startFaultyPractice(options: FaultyOptions): Promise<PracticeServer> {
  const { faults = '', batches = '', limits = {}, ...rest } = options;
  const chat = chatFaults(rest.seed ?? 0, faults, limits);
  return await startPracticeServer({ ...rest, faults: { ...batchFaults(batches), chat } });
}

function chatFaults(seed: number | string, rules: string, limits: PracticeLimits): Faults['chat'] {
  const always = parseFaults(rules);
  const draw = faultDraws(seed);
  const admit = makeAdmission();

  return async (request, reply) => {
    const { body, text, headers: asked } = request;
    const own = [body.model.split('+')[1] ?? '', String(asked?.['x-practice-faults'] ?? '')];
    const drawn = draw([...always, ...own.flatMap(parseFaults)], text);
    const fault = (...names: readonly Fault[]) => drawn.find((rule) => names.includes(rule.fault));
    const { headers, refusal } = admission(request, reply, fault);
    const good = { headers, refusal: undefined, reply, hasLogprobs: true, send };
    if (refusal !== undefined) return { ...good, refusal: { status: 429, code: 'rate_limit_exceeded', ...refusal } };
    const latency = fault('latency');
    if (latency !== undefined) await delay(latency.value ?? 50);
    const refusing = drawn.find((rule) => rule.fault in REFUSALS);
    if (refusing !== undefined)
      return { ...good, headers: { ...headers, ...retryAfter(refusing.value) }, refusal: REFUSALS[refusing.fault] };
    const sending = fault('stall', 'drop', 'cut', 'broken-json', 'slow');
    return {
      ...good,
      reply: drawn.reduce<Reply>((whole, rule) => corrupt(whole, rule.fault), reply),
      hasLogprobs: fault('no-logprobs') === undefined,
      send: sending === undefined ? send : sendFaulty(sending),
    };
  };

  /** What the limits say. Rules may set them: `rpm=600`. */
  function admission(
    { body, text, headers }: PracticeRequest,
    reply: Reply,
    fault: (name: Fault) => FaultRule | undefined,
  ): Admission {
    const requestsPerMinute = fault('rpm')?.value ?? limits.requestsPerMinute;
    const tokensPerMinute = fault('tpm')?.value ?? limits.tokensPerMinute;
    if (headers === undefined || (requestsPerMinute === undefined && tokensPerMinute === undefined)) return FREE;
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
    const key = headers.authorization ?? '';
    return admit(own, limits.per === 'key' ? key : `${key} ${body.model}`, tokens, performance.now());
  }
}

const FREE: Admission = { headers: {}, refusal: undefined };

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
