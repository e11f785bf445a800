import type { IncomingHttpHeaders } from 'node:http';
import { completionOf, cut } from './completion.ts';
import { errorBody, invalid, type Refusal, send } from './exchange.ts';
import type { ChatOutcome } from './faults.ts';
import { logprobsOf } from './logprobs.ts';
import { replyText } from './reply.ts';
import { type ChatBody, chatRequest } from './requests.ts';
import type { PracticeState } from './state.ts';

/** The answer to a chat request, before anything of it is sent. */
export interface PracticeAnswer extends Pick<ChatOutcome, 'headers' | 'send'> {
  readonly status: number;
  readonly body: unknown;
}

/**
 * Answers the body of a chat request, which is JSON text: with what the model says, or with an error. An answer of status 200
 * is counted and in the log when this returns, whether or not the caller still listens. What follows a `+` in the model's name is for
 * the server's faults.
 */
export async function answerChat(state: PracticeState, text: string, headers?: IncomingHttpHeaders): Promise<PracticeAnswer> {
  const body = parseBody(text);
  if (body === undefined) return refused(invalid('The body is not a chat completion request'));
  if (body.stream === true) return refused(invalid('The practice teacher does not stream', 'unsupported_value'));
  const [model = ''] = body.model.split('+');
  const words = replyText(state.bank, model, body);
  if (words === undefined) return refused(invalid(`The model "${model}" does not exist`, 'model_not_found', 404));
  const reply = cut(words, body.max_completion_tokens ?? body.max_tokens ?? Number.POSITIVE_INFINITY);

  const outcome = await state.faults.chat({ body, text, headers }, reply);
  if (outcome.refusal !== undefined) return refused(outcome.refusal, outcome.headers);
  const logprobs = outcome.hasLogprobs ? logprobsOf(body, outcome.reply.content) : undefined;
  const completion = completionOf(body, `${state.stored.answered()} ${text}`, outcome.reply, logprobs);
  state.stored.add({
    at: new Date().toISOString(),
    model: body.model,
    key: body.metadata?.zephyr_key ?? null,
    ...(body.store === true ? { completion } : {}),
  });
  return { status: 200, headers: outcome.headers, body: completion, send: outcome.send };
}

function refused(refusal: Refusal, headers: Readonly<Record<string, string>> = {}): PracticeAnswer {
  return { status: refusal.status, headers, body: errorBody(refusal), send };
}

function parseBody(text: string): ChatBody | undefined {
  try {
    return chatRequest.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
