import { type Call, type CallOutcome, callKey } from '../calls/call.ts';
import type { Unanswered } from '../calls/unanswered.ts';
import type { Sheet } from './judge-requests.ts';
import type { JudgeReply, Reading } from './reading.ts';
import type { Found } from './response-format.ts';

/** What became of a sheet. */
export interface Settled {
  readonly reading: Reading<readonly Found[]>;
  /** the model that was asked last, and the key of that call */
  readonly judge: string;
  readonly key: string;
  readonly by: 'first reply' | 'second reply' | 'fallback' | 'nobody';
}

/**
 * The first reply to a sheet that can be read: the judge's, the judge's once more, then the fallback's likewise; else what
 * became of the last. A model that gives no reply at all is not asked again.
 */
export async function settle({ tries, form }: Sheet, replyTo: (call: Call) => Promise<JudgeReply | undefined>): Promise<Settled> {
  let last: Settled | undefined;
  for (const [model, calls] of tries.entries()) {
    for (const [attempt, call] of calls.entries()) {
      const reading = form.read(await replyTo(call));
      const by = model > 0 ? 'fallback' : attempt > 0 ? 'second reply' : 'first reply';
      last = { reading, judge: call.model, key: callKey(call), by: reading.ok ? by : 'nobody' };
      if (reading.ok) return last;
      if (reading.status === 'missing') break;
    }
  }
  return last as Settled;
}

/** Settles a sheet by asking. A sheet of which the last who was asked gave no reply is one that is `unanswered`. */
export async function askSheet(
  sheet: Sheet,
  ask: (call: Call) => Promise<CallOutcome>,
  unanswered: Unanswered,
): Promise<Settled> {
  let last: { readonly call: Call; readonly outcome: CallOutcome } | undefined;
  const settled = await settle(sheet, async (call) => {
    const outcome = await ask(call);
    last = { call, outcome };
    return outcome.ok ? outcome.reply : undefined;
  });
  if (last !== undefined) unanswered.replyIn(last.call, last.outcome);
  return settled;
}
