import { setTimeout as delay } from 'node:timers/promises';
import { completionOf, cut } from './completion.ts';
import { errorBody, invalid, type Refusal } from './exchange.ts';
import { type Misbehaviour, parseMisbehaviour } from './misbehaviour.ts';
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
 * error. An answer of status 200 is counted and in the log when this returns, whether or not anybody hears it.
 */
export async function answerChat(state: PracticeState, text: string, rules: string): Promise<Answered> {
  const body = parseBody(text);
  if (body === undefined) return refused(invalid('The body is not a chat completion request'));
  if (body.stream === true) return refused(invalid('The practice teacher does not stream', 'unsupported_value'));
  const [model = '', ownRules = ''] = body.model.split('+');
  const words = replyText(state.syllabus, model, body);
  if (words === undefined) return refused(invalid(`The model "${model}" does not exist`, 'model_not_found', 404));

  const faults = state.faultsOf([...state.always, ...parseMisbehaviour(ownRules), ...parseMisbehaviour(rules)], text);
  const fault = (name: Misbehaviour['fault']) => faults.find((rule) => rule.fault === name);
  const latency = fault('latency');
  if (latency !== undefined) await delay(latency.value ?? 50);
  for (const status of [429, 500, 503] as const) {
    const rule = fault(`${status}`);
    if (rule === undefined) continue;
    const headers = rule.value === undefined ? {} : { 'retry-after': String(rule.value) };
    return status === 429
      ? refused({ status, message: 'Rate limit reached', type: 'rate_limit_error', code: null }, headers)
      : refused({ status, message: 'The engine is overloaded', type: 'server_error', code: null }, headers);
  }
  if (fault('quota') !== undefined) return refused(NO_MONEY);

  const limit = body.max_completion_tokens ?? body.max_tokens ?? Number.POSITIVE_INFINITY;
  const reply = faults.reduce<Reply>((spoilt, { fault: name }) => spoil(spoilt, name), cut(words, limit));
  const completion = completionOf(body, text, state.stored.answered(), reply);
  state.stored.add({
    at: new Date().toISOString(),
    model: body.model,
    key: body.metadata?.zephyr_key ?? null,
    ...(body.store === true ? { completion } : {}),
  });
  return { status: 200, headers: {}, body: completion, fault: fault('stall') ?? fault('cut') };
}

const NO_MONEY: Refusal = {
  status: 429,
  message: 'You exceeded your current quota',
  type: 'insufficient_quota',
  code: 'insufficient_quota',
};

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
