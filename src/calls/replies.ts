import type { ChatReply } from '../teachers/teacher.ts';
import { type Call, callKey } from './call.ts';
import { runCalls } from './run-calls.ts';
import type { CallSession } from './session.ts';
import { type AskingStep, Unanswered } from './unanswered.ts';

/**
 * Asks all calls of a step, equal ones once, and reads the replies, by the keys of the calls. One that brought none is not
 * there; more of these than `Unanswered` lets be left out end the step.
 */
export async function repliesTo(
  step: AskingStep,
  session: CallSession,
  asked: readonly { readonly call: Call }[],
): Promise<ReadonlyMap<string, ChatReply>> {
  const calls = new Map(asked.map(({ call }) => [callKey(call), call]));
  session.expect(calls.size);
  const unanswered = new Unanswered(step);
  const replied: string[] = [];
  await runCalls(session, calls.values(), (call, outcome) => {
    if (unanswered.replyIn(call, outcome) !== undefined) replied.push(outcome.key);
  });
  unanswered.check(session);
  const replies = new Map<string, ChatReply>();
  for (const key of replied) {
    const reply = await session.read(key);
    if (reply !== undefined) replies.set(key, reply);
  }
  return replies;
}
