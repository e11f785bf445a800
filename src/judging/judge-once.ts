import { type Call, type CallOutcome, callKey } from '../calls/call.ts';
import type { Unanswered } from '../calls/unanswered.ts';
import type { JudgeRequest } from './judge-requests.ts';
import type { JudgeReply, ReadReply } from './reading.ts';
import type { SlotValue } from './response-format.ts';

/** What became of a request. */
export interface Judgement {
  readonly reading: ReadReply<readonly SlotValue[]>;
  /** the model that was asked last, and the key of that call */
  readonly judge: string;
  readonly key: string;
  readonly by: 'first reply' | 'second reply' | 'fallback' | 'nobody';
}

/**
 * The first reply to a request that can be read: the judge's, the judge's once more, then the fallback's likewise. Where none
 * can be, the last of them. A model that gives no reply at all is not asked once more.
 */
export async function judgeOnce(
  { tries, format }: JudgeRequest,
  replyTo: (call: Call) => Promise<JudgeReply | undefined>,
): Promise<Judgement> {
  let last: Judgement | undefined;
  let silent: readonly Call[] | undefined;
  for (const [calls, call] of tries.flatMap((own) => own.map((each) => [own, each] as const))) {
    if (calls === silent) continue;
    const reading = format.read(await replyTo(call));
    const readBy = calls !== tries[0] ? 'fallback' : call !== calls[0] ? 'second reply' : 'first reply';
    last = { reading, judge: call.model, key: callKey(call), by: reading.ok ? readBy : 'nobody' };
    if (reading.ok) return last;
    if (reading.status === 'missing') silent = calls;
  }
  return last as Judgement;
}

/** As `judgeOnce`, by `ask`. Where the model that was asked last gave no reply, `unanswered` counts its call. */
export async function askJudge(
  request: JudgeRequest,
  ask: (call: Call) => Promise<CallOutcome>,
  unanswered: Unanswered,
): Promise<Judgement> {
  let last: { readonly call: Call; readonly outcome: CallOutcome } | undefined;
  const judgement = await judgeOnce(request, async (call) => {
    const outcome = await ask(call);
    last = { call, outcome };
    return outcome.ok ? outcome.reply : undefined;
  });
  if (last !== undefined) unanswered.replyIn(last.call, last.outcome);
  return judgement;
}
