import type { ChatAnswer, ChatFailure, ChatReply, Teacher } from '../teachers/teacher.ts';
import { type AdmissionQueue, openQueue, WORTH_SAYING_MS } from './admission-queue.ts';
import type { Claim } from './budget.ts';
import { type Call, type CallOutcome, MOST_UNREAD, requestOf } from './call.ts';
import type { Dispatcher, SessionContext } from './dispatcher.ts';
import type { Permit } from './endpoint.ts';
import { dollarsOf, type Tokens, type Used } from './estimate.ts';
import type { Sent } from './flusher.ts';
import { Outage } from './outage.ts';
import { reconciler } from './reconcile.ts';
import { NotNeeded, type Stop, tooLarge, unanswered } from './shutdown.ts';
import { backoffMs, pause } from './wait.ts';

/** What is known of a call between two attempts. */
interface CallState {
  readonly call: Call;
  readonly key: string;
  readonly stop: Stop;
  attempt: number;
  /** A request of which nobody knows whether it was answered. */
  lost: { readonly teacher: string | undefined; readonly sentAt: number; readonly est: number | null } | undefined;
}

/**
 * Sends calls to the first server that takes them, each to a queue of its own; when one fails for good or for now, the next
 * takes over. A call is asked until there is an answer, a final no, or no hope: intent on disk, one request, raw reply on
 * disk. One whose outcome is unknown is first looked for at the server that it was sent to.
 */
export function openLiveDispatcher(context: SessionContext, servers: readonly Teacher[]): Dispatcher {
  const { shutdown, retryPolicy, log, append, budget } = context;
  const queues: readonly AdmissionQueue[] = servers.map((teacher) => openQueue(teacher, context, () => queues.some(isOpen)));
  const reconcile = reconciler(context);
  /** of the servers whose stores are looked into */
  const lookUps = new Map(queues.map((queue) => [queue, new Outage()]));
  const used = new Set<AdmissionQueue>();
  let unsettled = 0;

  /** Another server may have another price: the user hears of it, once. */
  function told(queue: AdmissionQueue): AdmissionQueue {
    const [first] = queues;
    if (queue !== first && !used.has(queue)) {
      used.add(queue);
      context.note(`"${first?.teacher.name}" does not take calls for now; they go to "${queue.teacher.name}"`);
    }
    return queue;
  }

  /** `notThere`: only where nobody else takes it. */
  function pick(notThere: AdmissionQueue | undefined): AdmissionQueue {
    const open = queues.find((queue) => queue !== notThere && isOpen(queue)) ?? queues.find(isOpen);
    if (open !== undefined) return told(open);
    const failures = queues.map(({ teacher, gone }) => ({ teacher, failure: gone }));
    if (failures.every(isGone)) throw unanswered(failures);
    const hopeful = queues.filter(({ gone }) => gone?.kind !== 'stop' && gone?.kind !== 'quota');
    return hopeful.reduce((a, b) => (b.waitMs() < a.waitMs() ? b : a));
  }

  function reserve(queue: AdmissionQueue, call: Call): Tokens {
    const tokens = queue.estimator.estimate(call);
    const limit = queue.tokenLimit;
    // The reply may turn out shorter than what is allowed, the question cannot.
    if (limit !== undefined && tokens.input > limit)
      throw shutdown.stop(tooLarge(queue.teacher, tokens.input, Math.floor(limit)));
    return tokens;
  }

  async function done(
    state: CallState,
    reply: ChatReply,
    used: Used,
    teacher: Teacher,
    recovered: boolean,
  ): Promise<CallOutcome> {
    const usd = dollarsOf(used.billed, teacher.price);
    const { key, attempt } = state;
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

  async function refusal({ key, attempt }: CallState, { kind, status, message }: Omit<ChatFailure, 'afterMs'>): Promise<void> {
    await append({ t: 'fail', k: key, a: attempt, kind, status: status ?? null, message });
  }

  /** The answer that got lost, or a word on what that may cost. */
  async function findLost(state: CallState, lost: NonNullable<CallState['lost']>): Promise<CallOutcome | undefined> {
    const { call, key, stop } = state;
    state.lost = undefined;
    const queue = queues.find(({ teacher }) => teacher.name === lost.teacher);
    const hasElsewhere = () => queues.some((other) => other !== queue && isOpen(other));
    const reply =
      queue &&
      (await reconcile(queue.teacher, {
        model: call.model,
        key,
        sentAt: lost.sentAt,
        stop,
        outage: lookUps.get(queue) as Outage,
        hasElsewhere,
      }));
    if (queue === undefined || reply === undefined) context.doubt({ key, attempt: state.attempt, est: lost.est });
    else if (reply === 'not stored')
      await refusal(state, { kind: 'again', status: undefined, message: 'not in the store of the server' });
    else return done(state, reply, queue.estimator.learn(call, reply), queue.teacher, true);
    return undefined;
  }

  /** One request. What arrives is on disk when this returns. */
  async function send(state: CallState, queue: AdmissionQueue, permit: Permit): Promise<CallOutcome | ChatFailure> {
    const { call, key, stop } = state;
    const { teacher, estimator } = queue;
    const most = () => dollarsOf(estimator.most(call), teacher.price) ?? 0;
    let claim: Claim | undefined;
    let sent: Sent | undefined;
    let answer: ChatAnswer | undefined;
    try {
      claim = await budget.claim(most, estimator.trust(call));
      stop.check();
      const est = teacher.price === undefined ? null : claim.usd;
      sent = await context.admit(dollarsOf(estimator.estimate(call), teacher.price) ?? 0);
      stop.check();
      const sentAt = Date.now();
      state.attempt += 1;
      await append({ t: 'intent', k: key, a: state.attempt, at: sentAt, est, model: call.model, teacher: teacher.name });
      claim.logged();
      await context.sure();
      if (stop.signal.aborted) await refusal(state, { kind: 'again', status: 0, message: 'not sent' });
      stop.check();
      answer = await teacher.complete(requestOf(call, key), shutdown.hard);
      if (answer.ok) {
        const used = estimator.learn(call, answer.reply);
        claim.costs(dollarsOf(used.billed, teacher.price) ?? 0);
        queue.heard(permit, answer, used.input + used.output);
        const outcome = await done(state, answer.reply, used, teacher, false);
        sent.answered(dollarsOf(used.billed, teacher.price) ?? 0);
        return outcome;
      }
      const { failure } = answer;
      const isLost = failure.status === undefined;
      // A server that is busy and does not say how much it has left has less than was thought.
      const isEmpty = failure.status === 429 && answer.limits === undefined;
      queue.heard(permit, answer, isLost || isEmpty ? permit.tokens : 0);
      if (isLost) {
        state.lost = { teacher: teacher.name, sentAt, est };
        estimator.trust(call).billed();
        sent.answered(est ?? 0);
      } else await refusal(state, failure);
      return failure;
    } catch (error) {
      throw error instanceof NotNeeded ? error : shutdown.stop(error);
    } finally {
      if (answer === undefined) queue.withdraw(permit);
      claim?.settled();
      sent?.withdrawn();
      queue.leave(answer !== undefined);
    }
  }

  async function known(call: Call, key: string, stop: Stop): Promise<CallState> {
    const before = log.known(key);
    if (before?.state !== 'sent') return { call, key, stop, attempt: before?.attempt ?? 0, lost: undefined };
    const { attempt, sentAt, est, batch } = before;
    // With a batch it may be answered a day later, when no store is looked into any more.
    const teacher = batch === undefined ? await log.sentTo(key) : undefined;
    return { call, key, stop, attempt, lost: { teacher, sentAt, est } };
  }

  async function settle(call: Call, key: string, stop: Stop): Promise<CallOutcome> {
    const state = await known(call, key, stop);
    let tries = 0;
    let unread = 0;
    let failingSince: number | undefined;
    let failing: AdmissionQueue | undefined;
    for (let again = false; ; again = true) {
      const found = state.lost === undefined ? undefined : await findLost(state, state.lost);
      if (found !== undefined) return found;
      stop.check();
      const queue = pick(failing);
      const tokens = reserve(queue, call);
      const permit = await queue.enter(tokens.input + tokens.output, again, stop);
      if (permit === undefined) continue;
      const outcome = await send(state, queue, permit);
      if ('ok' in outcome) return outcome;
      if (outcome.kind === 'final' || outcome.kind === 'refused') return { ok: false, key, failure: outcome, replayed: false };
      stop.check();
      if (outcome.kind !== 'again' || outcome.status === 429) continue;
      tries += 1;
      unread += outcome.isUnread === true ? 1 : 0;
      failingSince ??= queue.now();
      // What one server never answers another may, at the last attempt.
      if (tries === retryPolicy.attempts - 1) failing = queue;
      if (tries >= retryPolicy.attempts || unread >= MOST_UNREAD || queue.now() - failingSince > retryPolicy.callMs) {
        const since = failingSince;
        // Servers answer others: it is this call that they do not answer. Else it waits with all others until one is back.
        if (queues.some(({ answeredAt }) => answeredAt >= since)) return { ok: false, key, failure: outcome, replayed: false };
        if (unread >= MOST_UNREAD) throw unanswered([{ teacher: queue.teacher, failure: outcome }]);
        queue.trip();
        tries = 0;
      } else await pause(outcome.afterMs ?? backoffMs(tries, retryPolicy.baseMs, retryPolicy.capMs, Math.random()), stop.signal);
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
      for (const queue of queues) queue.heedStops();
    },
    state() {
      const states = queues.map((queue) => queue.state()).filter((each, index) => index === 0 || each.requestsPerMinute > 0);
      const [first, ...others] = states as [ReturnType<AdmissionQueue['state']>, ...ReturnType<AdmissionQueue['state']>[]];
      const { waitsFor, ...sum } = others.reduce(addUp, { ...first, batches: 0 });
      // Of servers that can take each other's place it is only waited for all.
      if (unsettled === 0) return sum;
      if (waitsFor !== undefined && !queues.some(isOpen)) return { ...sum, waitsFor };
      for (const [{ teacher }, { now }] of lookUps)
        if (now !== undefined && now.seconds * 1000 >= WORTH_SAYING_MS)
          return { ...sum, waitsFor: { server: teacher.where, ...now } };
      return sum;
    },
    async close() {
      for (const queue of queues) queue.close();
    },
  };
}

function isOpen(queue: AdmissionQueue): boolean {
  return queue.waitMs() === 0;
}

function isGone<S extends { readonly failure: ChatFailure | undefined }>(server: S): server is S & { failure: ChatFailure } {
  return server.failure !== undefined;
}

type DispatcherState = ReturnType<Dispatcher['state']>;

function addUp(a: DispatcherState, b: ReturnType<AdmissionQueue['state']>): DispatcherState {
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
