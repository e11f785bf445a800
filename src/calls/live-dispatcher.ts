import type { ChatAnswer, ChatFailure, ChatReply, Teacher } from '../teachers/teacher.ts';
import { type Lane, openLane, WORTH_SAYING_MS } from './admission-queue.ts';
import type { Claim } from './budget.ts';
import { type Call, type CallOutcome, MOST_UNREAD, requestOf } from './call.ts';
import type { Desk, Floor } from './dispatcher.ts';
import type { Ticket } from './endpoint.ts';
import { dollarsOf, type Tokens, type Used } from './estimate.ts';
import type { Sent } from './flusher.ts';
import { Outage } from './outage.ts';
import { reconciler } from './reconcile.ts';
import { NotNeeded, type Stop, tooLarge, unanswered } from './shutdown.ts';
import { backoffMs, pause } from './wait.ts';

/** What is known of a call between two attempts. */
interface Course {
  readonly call: Call;
  readonly key: string;
  readonly stop: Stop;
  attempt: number;
  /** A request of which nobody knows whether it was answered. */
  lost: { readonly teacher: string | undefined; readonly sentAt: number; readonly est: number | null } | undefined;
}

/**
 * Sends calls to the first server that takes them, each to a lane of its own; when one fails for good or for now, the next
 * takes over. A call is asked until there is an answer, a final no, or no hope: intent on disk, one request, raw reply on
 * disk. One whose outcome is unknown is first looked for at the server that it was sent to.
 */
export function openLiveDesk(floor: Floor, servers: readonly Teacher[]): Desk {
  const { halt, patience, log, append, budget } = floor;
  const lanes: readonly Lane[] = servers.map((teacher) => openLane(teacher, floor, () => lanes.some(isOpen)));
  const reconcile = reconciler(floor);
  /** of the servers whose stores are looked into */
  const lookUps = new Map(lanes.map((lane) => [lane, new Outage()]));
  const used = new Set<Lane>();
  let unsettled = 0;

  /** Another server may have another price: the user hears of it, once. */
  function told(lane: Lane): Lane {
    const [first] = lanes;
    if (lane !== first && !used.has(lane)) {
      used.add(lane);
      floor.note(`"${first?.teacher.name}" does not take calls for now; they go to "${lane.teacher.name}"`);
    }
    return lane;
  }

  /** `notThere`: only where nobody else takes it. */
  function pick(notThere: Lane | undefined): Lane {
    const open = lanes.find((lane) => lane !== notThere && isOpen(lane)) ?? lanes.find(isOpen);
    if (open !== undefined) return told(open);
    const failures = lanes.map(({ teacher, gone }) => ({ teacher, failure: gone }));
    if (failures.every(isGone)) throw unanswered(failures);
    const hopeful = lanes.filter(({ gone }) => gone?.kind !== 'stop' && gone?.kind !== 'quota');
    return hopeful.reduce((a, b) => (b.waitMs() < a.waitMs() ? b : a));
  }

  function reserve(lane: Lane, call: Call): Tokens {
    const tokens = lane.estimator.estimate(call);
    const limit = lane.tokenLimit;
    // The reply may turn out shorter than what is allowed, the question cannot.
    if (limit !== undefined && tokens.input > limit) throw halt.stop(tooLarge(lane.teacher, tokens.input, Math.floor(limit)));
    return tokens;
  }

  async function done(course: Course, reply: ChatReply, used: Used, teacher: Teacher, recovered: boolean): Promise<CallOutcome> {
    const usd = dollarsOf(used.billed, teacher.price);
    const { key, attempt } = course;
    await append({
      t: 'done',
      k: key,
      a: attempt,
      usd,
      in: used.input,
      out: used.output,
      recovered,
      rid: reply.requestId ?? null,
      raw: reply.raw,
    });
    return { ok: true, key, reply, replayed: false };
  }

  async function refusal({ key, attempt }: Course, { kind, status, message }: Omit<ChatFailure, 'afterMs'>): Promise<void> {
    await append({ t: 'fail', k: key, a: attempt, kind, status: status ?? null, message });
  }

  /** The answer that got lost, or a word on what that may cost. */
  async function findLost(course: Course, lost: NonNullable<Course['lost']>): Promise<CallOutcome | undefined> {
    const { call, key, stop } = course;
    course.lost = undefined;
    const lane = lanes.find(({ teacher }) => teacher.name === lost.teacher);
    const hasElsewhere = () => lanes.some((other) => other !== lane && isOpen(other));
    const reply =
      lane &&
      (await reconcile(lane.teacher, {
        model: call.model,
        key,
        sentAt: lost.sentAt,
        stop,
        outage: lookUps.get(lane) as Outage,
        hasElsewhere,
      }));
    if (lane === undefined || reply === undefined) floor.doubt({ key, attempt: course.attempt, est: lost.est });
    else if (reply === 'not stored')
      await refusal(course, { kind: 'again', status: undefined, message: 'not in the store of the server' });
    else return done(course, reply, lane.estimator.learn(call, reply), lane.teacher, true);
    return undefined;
  }

  /** One request. What arrives is on disk when this returns. */
  async function send(course: Course, lane: Lane, ticket: Ticket): Promise<CallOutcome | ChatFailure> {
    const { call, key, stop } = course;
    const { teacher, estimator } = lane;
    const most = () => dollarsOf(estimator.most(call), teacher.price) ?? 0;
    let claim: Claim | undefined;
    let sent: Sent | undefined;
    let answer: ChatAnswer | undefined;
    try {
      claim = await budget.claim(most, estimator.trust(call));
      stop.check();
      const est = teacher.price === undefined ? null : claim.usd;
      sent = await floor.admit(dollarsOf(estimator.estimate(call), teacher.price) ?? 0);
      stop.check();
      const sentAt = Date.now();
      course.attempt += 1;
      await append({ t: 'intent', k: key, a: course.attempt, at: sentAt, est, model: call.model, teacher: teacher.name });
      claim.logged();
      await floor.sure();
      if (stop.signal.aborted) await refusal(course, { kind: 'again', status: 0, message: 'not sent' });
      stop.check();
      answer = await teacher.complete(requestOf(call, key), halt.hard);
      if (answer.ok) {
        const used = estimator.learn(call, answer.reply);
        claim.costs(dollarsOf(used.billed, teacher.price) ?? 0);
        lane.heard(ticket, answer, used.input + used.output);
        const outcome = await done(course, answer.reply, used, teacher, false);
        sent.answered(dollarsOf(used.billed, teacher.price) ?? 0);
        return outcome;
      }
      const { failure } = answer;
      const isLost = failure.status === undefined;
      // A server that is busy and does not say how much it has left has less than was thought.
      const isEmpty = failure.status === 429 && answer.limits === undefined;
      lane.heard(ticket, answer, isLost || isEmpty ? ticket.tokens : 0);
      if (isLost) {
        course.lost = { teacher: teacher.name, sentAt, est };
        estimator.trust(call).billed();
        sent.answered(est ?? 0);
      } else await refusal(course, failure);
      return failure;
    } catch (error) {
      throw error instanceof NotNeeded ? error : halt.stop(error);
    } finally {
      if (answer === undefined) lane.withdraw(ticket);
      claim?.settled();
      sent?.withdrawn();
      lane.leave(answer !== undefined);
    }
  }

  async function known(call: Call, key: string, stop: Stop): Promise<Course> {
    const before = log.known(key);
    if (before?.state !== 'sent') return { call, key, stop, attempt: before?.attempt ?? 0, lost: undefined };
    const { attempt, sentAt, est, batch } = before;
    // With a batch it may be answered a day later, when no store is looked into any more.
    const teacher = batch === undefined ? await log.sentTo(key) : undefined;
    return { call, key, stop, attempt, lost: { teacher, sentAt, est } };
  }

  async function settle(call: Call, key: string, stop: Stop): Promise<CallOutcome> {
    const course = await known(call, key, stop);
    let tries = 0;
    let unread = 0;
    let failingSince: number | undefined;
    let failing: Lane | undefined;
    for (let again = false; ; again = true) {
      const found = course.lost === undefined ? undefined : await findLost(course, course.lost);
      if (found !== undefined) return found;
      stop.check();
      const lane = pick(failing);
      const tokens = reserve(lane, call);
      const ticket = await lane.enter(tokens.input + tokens.output, again, stop);
      if (ticket === undefined) continue;
      const outcome = await send(course, lane, ticket);
      if ('ok' in outcome) return outcome;
      if (outcome.kind === 'final' || outcome.kind === 'refused') return { ok: false, key, failure: outcome, replayed: false };
      stop.check();
      if (outcome.kind !== 'again' || outcome.status === 429) continue;
      tries += 1;
      unread += outcome.isUnread === true ? 1 : 0;
      failingSince ??= lane.now();
      // What one server never answers another may, at the last attempt.
      if (tries === patience.attempts - 1) failing = lane;
      if (tries >= patience.attempts || unread >= MOST_UNREAD || lane.now() - failingSince > patience.callMs) {
        const since = failingSince;
        // Servers answer others: it is this call that they do not answer. Else it waits with all others until one is back.
        if (lanes.some(({ answeredAt }) => answeredAt >= since)) return { ok: false, key, failure: outcome, replayed: false };
        if (unread >= MOST_UNREAD) throw unanswered([{ teacher: lane.teacher, failure: outcome }]);
        lane.trip();
        tries = 0;
      } else await pause(outcome.afterMs ?? backoffMs(tries, patience.baseMs, patience.capMs, Math.random()), stop.signal);
    }
  }

  return {
    isLive: true,
    inHand: 2 * Math.max(...servers.map(({ concurrency }) => concurrency)),
    async settle(call, key, stop) {
      unsettled += 1;
      try {
        return await settle(call, key, stop);
      } finally {
        unsettled -= 1;
      }
    },
    heedStops() {
      for (const lane of lanes) lane.heedStops();
    },
    state() {
      const states = lanes.map((lane) => lane.state()).filter((each, index) => index === 0 || each.requestsPerMinute > 0);
      const [first, ...others] = states as [ReturnType<Lane['state']>, ...ReturnType<Lane['state']>[]];
      const { waitsFor, ...sum } = others.reduce(addUp, { ...first, batches: 0 });
      // Of servers that can take each other's place it is only waited for all.
      if (unsettled === 0) return sum;
      if (waitsFor !== undefined && !lanes.some(isOpen)) return { ...sum, waitsFor };
      for (const [{ teacher }, { now }] of lookUps)
        if (now !== undefined && now.seconds * 1000 >= WORTH_SAYING_MS)
          return { ...sum, waitsFor: { server: teacher.where, ...now } };
      return sum;
    },
    async close() {
      for (const lane of lanes) lane.close();
    },
  };
}

function isOpen(lane: Lane): boolean {
  return lane.waitMs() === 0;
}

function isGone<S extends { readonly failure: ChatFailure | undefined }>(server: S): server is S & { failure: ChatFailure } {
  return server.failure !== undefined;
}

type State = ReturnType<Desk['state']>;

function addUp(a: State, b: ReturnType<Lane['state']>): State {
  const asked = a.requestsPerMinute + b.requestsPerMinute;
  const waitsFor = a.waitsFor ?? b.waitsFor;
  return {
    ...(waitsFor === undefined ? {} : { waitsFor }),
    inFlight: a.inFlight + b.inFlight,
    ceiling: a.ceiling + b.ceiling,
    requestsPerMinute: asked,
    requestLimit: a.requestLimit === null || b.requestLimit === null ? null : a.requestLimit + b.requestLimit,
    tokensPerMinute: a.tokensPerMinute + b.tokensPerMinute,
    tokenLimit: a.tokenLimit === null || b.tokenLimit === null ? null : a.tokenLimit + b.tokenLimit,
    busy: asked === 0 ? 0 : (a.busy * a.requestsPerMinute + b.busy * b.requestsPerMinute) / asked,
    batches: a.batches,
  };
}
