import { type Call, type CallOutcome, callKey } from '../calls/call.ts';
import type { Unanswered } from '../calls/unanswered.ts';
import type { JudgeRequest } from './judge-requests.ts';
import type { Rating } from './rating.ts';
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

const NOTHING = { rating: null, value: null, mass: null, na: false, rationale: null };

/** What became of a request, a row for each number that it asked for. `injected`: ids of answers that speak to the judge. */
export function ratingRows(request: JudgeRequest, { reading, judge, key }: Judgement, injected: ReadonlySet<string>): Rating[] {
  return request.format.slots.map(({ position, aspect, against }, index) => {
    const { completion_id, prompt_id } = request.answers[position] as JudgeRequest['answers'][number];
    const found = reading.ok ? (reading.found[index] ?? NOTHING) : NOTHING;
    return {
      completion_id,
      prompt_id,
      aspect,
      judge,
      seat: request.judgeIndex,
      template_id: request.instructions.id,
      template_sha256: request.instructions.sha256,
      permutation: request.permutation,
      position,
      against: against === null ? null : (request.answers[against]?.completion_id ?? null),
      rating: found.rating,
      value: found.value,
      mass: found.mass,
      na: found.na,
      rationale: found.rationale,
      injection: injected.has(completion_id),
      status: reading.ok ? 'ok' : reading.status,
      call_key: key,
    };
  });
}
