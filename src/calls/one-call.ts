import type { ChatReply, ChatRequest, Price, Teacher } from '../teachers/teacher.ts';
import { type Call, type CallOutcome, callKey } from './call.ts';
import type { CallLog } from './call-log.ts';
import { type Halt, outOfReach, refused } from './halt.ts';
import { backoffMs, pause } from './wait.ts';

/** How patient the engine is with a teacher. Times in milliseconds. */
export interface Patience {
  /** of one call, before it is given up or the teacher is taken to be out of reach */
  readonly attempts: number;
  readonly baseMs: number;
  readonly capMs: number;
  /** A teacher that answers nothing for so long but "too many requests" is out of reach. */
  readonly silenceMs: number;
  /** Between two looks into a server's store. */
  readonly lookMs: number;
}

export const PATIENCE: Patience = { attempts: 6, baseMs: 500, capMs: 60_000, silenceMs: 600_000, lookMs: 1000 };

/** A teacher with what its calls have to know of each other. Times in milliseconds since 1970. */
export interface Desk {
  readonly teacher: Teacher;
  /** no call before this time: a server that says 429 means everybody */
  quietUntil: number;
  answeredAt: number;
}

export interface Floor {
  readonly log: CallLog;
  readonly halt: Halt;
  readonly patience: Patience;
  /** Calls that were sent again although nobody knows whether they had been answered. */
  possibleDoubleSpend: number;
}

/**
 * Asks until there is an answer, a final no, or no hope: intent on disk, one request, raw reply on disk. A call whose
 * outcome is unknown is looked for in the server's store before it is sent again. Throws what halted the session.
 */
export async function settle(floor: Floor, desk: Desk, call: Call): Promise<CallOutcome> {
  const { log, halt, patience } = floor;
  const { teacher } = desk;
  const key = callKey(call);
  const request: ChatRequest = {
    model: call.model,
    messages: call.messages,
    ...call.sampling,
    ...(call.schema === undefined ? {} : { schema: call.schema }),
    ...(call.top_logprobs === undefined ? {} : { top_logprobs: call.top_logprobs }),
    key,
  };
  const before = log.known(key);
  let attempt = before?.attempt ?? 0;
  let lostAt = before?.state === 'sent' ? before.sentAt : undefined;
  const begunAt = Date.now();

  async function record(reply: ChatReply, recovered: boolean): Promise<CallOutcome> {
    desk.answeredAt = Date.now();
    await log.append({
      t: 'done',
      k: key,
      a: attempt,
      rid: reply.requestId ?? null,
      usd: dollars(reply, teacher.price),
      in: reply.promptTokens,
      out: reply.completionTokens,
      recovered,
      raw: reply.raw,
    });
    return { ok: true, key, reply, replayed: false };
  }

  for (let tries = 1; ; ) {
    if (lostAt !== undefined) {
      const stored = await findStored(floor, desk, call.model, key, lostAt);
      if (stored !== undefined) return record(stored, true);
      if (teacher.settleMs === 0) floor.possibleDoubleSpend += 1;
      lostAt = undefined;
    }
    await pause(desk.quietUntil - Date.now(), halt.signal);
    halt.check();
    attempt += 1;
    const sentAt = Date.now();
    await log.append({ t: 'intent', k: key, a: attempt, at: sentAt, est: null, model: call.model, teacher: teacher.name });
    halt.check();
    const answer = await teacher.complete(request, halt.hard);
    if (answer.ok) return record(answer.reply, false);

    const { failure } = answer;
    if (failure.status === undefined) lostAt = sentAt;
    else
      await log.append({
        t: 'fail',
        k: key,
        a: attempt,
        kind: failure.kind,
        status: failure.status,
        message: failure.message,
      });
    if (failure.kind === 'final') return { ok: false, key, failure, replayed: false };
    if (failure.kind === 'stop' || failure.kind === 'quota') throw halt.stop(refused(teacher, failure.message));
    halt.check();

    const isBusy = failure.status === 429;
    if (isBusy ? Date.now() - Math.max(begunAt, desk.answeredAt) > patience.silenceMs : tries >= patience.attempts) {
      if (desk.answeredAt < begunAt) throw halt.stop(outOfReach(teacher, failure.message));
      return { ok: false, key, failure, replayed: false };
    }
    const wait = failure.afterMs ?? backoffMs(tries, patience.baseMs, patience.capMs, Math.random());
    if (isBusy) desk.quietUntil = Math.max(desk.quietUntil, Date.now() + wait);
    else {
      tries += 1;
      await pause(wait, halt.signal);
    }
  }
}

/** Looks until the answer cannot turn up any more: a server stores it when it is finished, whoever still listens. */
async function findStored(
  floor: Floor,
  { teacher }: Desk,
  model: string,
  key: string,
  sentAt: number,
): Promise<ChatReply | undefined> {
  if (teacher.settleMs === 0) return undefined;
  for (let fails = 0; ; ) {
    const isLast = Date.now() - sentAt >= teacher.settleMs;
    floor.halt.check();
    const found = await teacher.recover(key, model, floor.halt.hard);
    if (found?.ok === true) return found.reply;
    if (found !== undefined) {
      fails += 1;
      if (found.failure.kind === 'stop') throw floor.halt.stop(refused(teacher, found.failure.message));
      if (fails >= floor.patience.attempts) throw floor.halt.stop(outOfReach(teacher, found.failure.message));
      await pause(backoffMs(fails, floor.patience.baseMs, floor.patience.capMs, Math.random()), floor.halt.signal);
    } else if (isLast) return undefined;
    else await pause(Math.min(floor.patience.lookMs, teacher.settleMs), floor.halt.signal);
  }
}

function dollars(reply: ChatReply, price: Price | undefined): number | null {
  return price === undefined ? null : (reply.promptTokens * price.input + reply.completionTokens * price.output) / 1e6;
}
