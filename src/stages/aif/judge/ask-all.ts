import type { Call } from '../../../calls/call.ts';
import { GiveUpAfter } from '../../../calls/give-up-rule.ts';
import { forEachAtOnce } from '../../../calls/run-calls.ts';
import type { CallSession } from '../../../calls/session.ts';
import type { Unanswered } from '../../../calls/unanswered.ts';
import { ZephyrError } from '../../../errors.ts';
import { NO_LOGPROBS } from '../../../judging/expected.ts';
import { askJudge } from '../../../judging/judge-once.ts';
import { type JudgeRequest, LEGIBLE_AFTER } from '../../../judging/judge-requests.ts';
import type { JudgePanel } from '../../../judging/panel.ts';

/** The number of requests to a judge after which its server is taken to send no log-probabilities if none brought any. */
const PROBES = 16;

/** Characters of a reply that an error shows. */
const SHOWN = 160;

export interface JudgeSession {
  readonly session: CallSession;
  readonly judges: JudgePanel['judges'];
  readonly unanswered: Unanswered;
}

/**
 * Asks each request until a reply can be read or no model is left to ask; the replies are in the call log afterwards.
 * `unread` gets those requests to which no reply could be read, and why. Throws (usage) where none of a judge's first replies
 * can be read, since all the others would be paid for nothing.
 */
export async function askAll(
  { session, judges, unanswered }: JudgeSession,
  requests: AsyncIterable<JudgeRequest> | Iterable<JudgeRequest>,
  unread: (request: JudgeRequest, why: string) => void = () => {},
): Promise<void> {
  const most = () => session.inHand;
  const giveUp = new GiveUpAfter<number>(LEGIBLE_AFTER);
  let error: ZephyrError | undefined;
  await forEachAtOnce(requests, most, async (request) => {
    const ask = (call: Call) => {
      if (error !== undefined) throw error;
      return session.ask(call);
    };
    const { reading, key } = await askJudge(request, ask, unanswered);
    // The call engine keeps count of the calls that bring no reply.
    if (reading.ok || reading.status !== 'missing') giveUp.record(request.judgeIndex, reading.ok);
    if (reading.ok) return;
    unread(request, reading.why);
    if (reading.why === NO_LOGPROBS || !giveUp.isReached(request.judgeIndex)) return;
    error ??= illegible(judges[request.judgeIndex]?.model ?? '', reading.why, (await session.read(key))?.text ?? '');
    throw error;
  });
}

function illegible(model: string, why: string, text: string): ZephyrError {
  const advice = why.includes('"length"') ? 'raise aif.judge.maxTokens' : 'take another judge, or another aif.judge.mode';
  const said = JSON.stringify(text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}...`);
  return new ZephyrError(`Cannot read what judge "${model}" replies: of its first ${LEGIBLE_AFTER} replies none, since ${why}`, {
    hint: `${advice}; it said ${said}`,
  });
}

/** Asks the first requests of every judge: without log-probabilities from its server, all would be paid for nothing. */
export async function probe(asking: JudgeSession, requests: AsyncIterable<JudgeRequest>): Promise<void> {
  const { judges } = asking;
  const first = judges.map((): JudgeRequest[] => []);
  for await (const request of requests) {
    const own = first[request.judgeIndex];
    if (request.format.topLogprobs !== undefined && own !== undefined && own.length < PROBES) own.push(request);
    if (first.every(({ length }) => length === PROBES)) break;
  }
  const silent = judges.map(() => 0);
  await askAll(asking, first.flat(), ({ judgeIndex }, why) => {
    if (why === NO_LOGPROBS) silent[judgeIndex] = (silent[judgeIndex] ?? 0) + 1;
  });
  const mute = judges.find((_, index) => silent[index] !== 0 && silent[index] === first[index]?.length);
  if (mute !== undefined)
    throw new ZephyrError(`Cannot expect ratings of "${mute.model}": its server sends no log-probabilities`, {
      exit: 'preflight',
      hint: 'ask it at another server, or take another aif.judge.mode',
    });
}
