import type { TeacherProgress } from '../model/event.ts';
import type { ChatAnswer, ChatFailure, ChatReply, Teacher } from '../teachers/teacher.ts';
import { AdmissionQueue, WORTH_SAYING_MS } from './admission-queue.ts';
import type { Claim } from './budget.ts';
import { type Call, type CallOutcome, MOST_UNREAD, requestOf } from './call.ts';
import type { Dispatcher, SessionContext } from './dispatcher.ts';
import type { Permit } from './endpoint.ts';
import { dollarsOf, type Tokens, type Used } from './estimate.ts';
import type { Sent } from './flusher.ts';
import { NOT_STORED, type Reconcile, reconciler } from './reconcile.ts';
import { doneRecord, failRecord } from './record.ts';
import { NotNeeded, type Stop, tooLarge, unanswered } from './shutdown.ts';
import { backoffMs, pause } from './wait.ts';

/** A request that may have been answered, and billed, although no answer came. */
interface LostRequest {
  readonly teacher: string | undefined;
  readonly sentAt: number;
  readonly est: number | null;
}

/** What is known of a call between two attempts. */
interface CallState {
  readonly call: Call;
  readonly key: string;
  readonly stop: Stop;
  attempt: number;
  lost: LostRequest | undefined;
  /** attempts that failed for now, and those among them that may have been billed */
  tries: number;
  unread: number;
  /** when the first of them failed, by the process's steady clock */
  failingSince: number | undefined;
  /** the server that is asked again only where no other takes the call */
  avoided: AdmissionQueue | undefined;
}

/** A request on its way. */
interface SentRequest {
  readonly queue: AdmissionQueue;
  readonly permit: Permit;
  readonly claim: Claim;
  readonly sent: Sent;
  readonly sentAt: number;
  readonly est: number | null;
}

/**
 * Sends calls to the first server that takes them, each server with a queue of its own; when one fails for good or for now,
 * the next takes over. A call is sent until there is an answer, a final refusal, or no server: intent on disk, one request,
 * raw reply on disk. A call whose outcome is unknown is first looked for at the server that it was sent to.
 */
export class LiveDispatcher implements Dispatcher {
  readonly isLive = true;
  readonly inHand: number;
  readonly #context: SessionContext;
  readonly #queues: readonly AdmissionQueue[];
  readonly #reconcile: Reconcile;
  /** other servers than the first, once the user has heard that calls go there */
  readonly #told = new Set<AdmissionQueue>();
  #unsettled = 0;

  constructor(context: SessionContext, servers: readonly Teacher[]) {
    this.#context = context;
    this.#queues = servers.map((teacher) => new AdmissionQueue(teacher, context, () => this.#queues.some(isOpen)));
    this.#reconcile = reconciler(context);
    this.inHand = 2 * Math.max(...servers.map(({ concurrency }) => concurrency));
  }

  async settle(call: Call, key: string, stop: Stop): Promise<CallOutcome> {
    this.#unsettled += 1;
    try {
      return await this.#settle(await this.#stateOf(call, key, stop));
    } finally {
      this.#unsettled -= 1;
    }
  }

  heedStops(): void {
    for (const queue of this.#queues) queue.heedStops();
  }

  state(): Omit<TeacherProgress, 'id'> {
    const states = this.#queues.map((queue) => queue.state()).filter((each, n) => n === 0 || each.requestsPerMinute > 0);
    const [first, ...others] = states as [QueueState, ...QueueState[]];
    const { waitsFor, ...sum } = others.reduce(addUp, { ...first, batches: 0 });
    // Servers can take each other's place, so calls wait only when none of them is open.
    if (this.#unsettled === 0) return sum;
    if (waitsFor !== undefined && !this.#queues.some(isOpen)) return { ...sum, waitsFor };
    for (const { teacher, lookUp } of this.#queues) {
      const { now } = lookUp;
      if (now !== undefined && now.seconds * 1000 >= WORTH_SAYING_MS)
        return { ...sum, waitsFor: { server: teacher.where, ...now } };
    }
    return sum;
  }

  async close(): Promise<void> {
    for (const queue of this.#queues) queue.close();
  }

  async #stateOf(call: Call, key: string, stop: Stop): Promise<CallState> {
    const { log } = this.#context;
    const before = log.known(key);
    const fresh = { call, key, stop, tries: 0, unread: 0, failingSince: undefined, avoided: undefined };
    if (before?.state !== 'sent') return { ...fresh, attempt: before?.attempt ?? 0, lost: undefined };
    const { attempt, sentAt, est, batch } = before;
    // A batch may answer the call a day later, and by then no process looks it up among the stored answers.
    const teacher = batch === undefined ? await log.sentTo(key) : undefined;
    return { ...fresh, attempt, lost: { teacher, sentAt, est } };
  }

  async #settle(state: CallState): Promise<CallOutcome> {
    const { call, stop } = state;
    for (let again = false; ; again = true) {
      const found = state.lost && (await this.#findLost(state, state.lost));
      if (found !== undefined) return found;
      stop.check();
      const queue = this.#pick(state.avoided);
      const { input, output } = this.#tokensOf(queue, call);
      const permit = await queue.acquire(input + output, again, stop);
      if (permit === undefined) continue;
      const outcome = await this.#send(state, queue, permit);
      if ('ok' in outcome) return outcome;
      const given = await this.#bear(state, queue, outcome);
      if (given !== undefined) return given;
    }
  }

  /** Waits before a call that failed is sent again; returns its outcome where it is not, or throws where no server is there. */
  async #bear(state: CallState, queue: AdmissionQueue, failure: ChatFailure): Promise<CallOutcome | undefined> {
    const { attempts, callMs, baseMs, capMs } = this.#context.retryPolicy;
    const { key, stop } = state;
    const given = { ok: false, key, failure, replayed: false } as const;
    if (failure.kind === 'final' || failure.kind === 'refused') return given;
    stop.check();
    if (failure.kind !== 'again' || failure.status === 429) return undefined;
    state.tries += 1;
    state.unread += failure.isUnread === true ? 1 : 0;
    state.failingSince ??= performance.now();
    // The last attempt goes to another server, which may answer what this one never does.
    if (state.tries === attempts - 1) state.avoided = queue;
    const since = state.failingSince;
    if (state.tries < attempts && state.unread < MOST_UNREAD && performance.now() - since <= callMs) {
      await pause(failure.afterMs ?? backoffMs(state.tries, baseMs, capMs, Math.random()), stop.signal);
      return undefined;
    }
    // If a server answers other calls, this call is at fault. Otherwise it waits with all others until a server is back.
    if (this.#queues.some(({ answeredAt }) => answeredAt >= since)) return given;
    if (state.unread >= MOST_UNREAD) throw unanswered([{ teacher: queue.teacher, failure }]);
    queue.trip();
    state.tries = 0;
    return undefined;
  }

  /** `avoided` is taken only where no other server takes the call. */
  #pick(avoided: AdmissionQueue | undefined): AdmissionQueue {
    const open = this.#queues.find((queue) => queue !== avoided && isOpen(queue)) ?? this.#queues.find(isOpen);
    if (open !== undefined) return this.#tell(open);
    const failures = this.#queues.map(({ teacher, gone }) => ({ teacher, failure: gone }));
    if (failures.every(isGone)) throw unanswered(failures);
    const hopeful = this.#queues.filter(({ gone }) => gone?.kind !== 'stop' && gone?.kind !== 'quota');
    return hopeful.reduce((a, b) => (b.closedMs() < a.closedMs() ? b : a));
  }

  /** Another server may have another price: the user hears of it, once. */
  #tell(queue: AdmissionQueue): AdmissionQueue {
    const [first] = this.#queues;
    if (queue !== first && !this.#told.has(queue)) {
      this.#told.add(queue);
      this.#context.note(`"${first?.teacher.name}" does not take calls for now; they go to "${queue.teacher.name}"`);
    }
    return queue;
  }

  #tokensOf({ teacher, estimator, tokenLimit }: AdmissionQueue, call: Call): Tokens {
    const tokens = estimator.estimate(call);
    // A reply may be shorter than the call allows; the question always has its full length.
    if (tokenLimit !== undefined && tokens.input > tokenLimit)
      throw this.#context.shutdown.stop(tooLarge(teacher, tokens.input, Math.floor(tokenLimit)));
    return tokens;
  }

  /** Returns the answer that got lost, or says what that may cost. */
  async #findLost(state: CallState, { teacher, sentAt, est }: LostRequest): Promise<CallOutcome | undefined> {
    const { call, key, stop, attempt } = state;
    state.lost = undefined;
    const queue = this.#queues.find((each) => each.teacher.name === teacher);
    const hasElsewhere = () => this.#queues.some((other) => other !== queue && isOpen(other));
    const lost = { model: call.model, key, sentAt, stop, hasElsewhere };
    const reply = queue && (await this.#reconcile(queue.teacher, { ...lost, outage: queue.lookUp }));
    if (queue === undefined || reply === undefined) this.#context.doubt({ key, attempt, est });
    else if (reply === 'not stored') await this.#context.append(failRecord(state, NOT_STORED));
    else return this.#keep(state, reply, queue.estimator.learn(call, reply), { teacher: queue.teacher, recovered: true });
    return undefined;
  }

  /** Sends one request. What arrives is on disk when this returns. */
  async #send(state: CallState, queue: AdmissionQueue, permit: Permit): Promise<CallOutcome | ChatFailure> {
    const { budget, append, shutdown } = this.#context;
    const { call, key, stop } = state;
    const { teacher, estimator } = queue;
    let claim: Claim | undefined;
    let sent: Sent | undefined;
    let answer: ChatAnswer | undefined;
    try {
      claim = await budget.claim(() => dollarsOf(estimator.most(call), teacher.price) ?? 0, estimator.trust(call));
      stop.check();
      const est = teacher.price === undefined ? null : claim.usd;
      sent = await this.#context.admit(dollarsOf(estimator.estimate(call), teacher.price) ?? 0);
      stop.check();
      const sentAt = Date.now();
      state.attempt += 1;
      const { model } = call;
      await append({ t: 'intent', k: key, a: state.attempt, at: sentAt, est, model, teacher: teacher.name });
      claim.logged();
      await this.#context.sure();
      if (stop.signal.aborted) await append(failRecord(state, NOT_SENT));
      stop.check();
      answer = await teacher.complete(requestOf(call, key), shutdown.hard);
      const attempt = { queue, permit, claim, sent, sentAt, est };
      return answer.ok ? await this.#answered(state, attempt, answer) : await this.#failed(state, attempt, answer);
    } catch (error) {
      throw error instanceof NotNeeded ? error : shutdown.stop(error);
    } finally {
      if (answer === undefined) queue.cancel(permit);
      claim?.settled();
      sent?.withdrawn();
      queue.release(answer !== undefined);
    }
  }

  async #answered(state: CallState, attempt: SentRequest, answer: ChatAnswer & { ok: true }): Promise<CallOutcome> {
    const { queue, permit, claim, sent } = attempt;
    const { teacher, estimator } = queue;
    const used = estimator.learn(state.call, answer.reply);
    const usd = dollarsOf(used.billed, teacher.price) ?? 0;
    claim.costs(usd);
    queue.report(permit, answer, used.input + used.output);
    const outcome = await this.#keep(state, answer.reply, used, { teacher, recovered: false });
    sent.answered(usd);
    return outcome;
  }

  async #failed(state: CallState, attempt: SentRequest, answer: ChatAnswer & { ok: false }): Promise<ChatFailure> {
    const { queue, permit, sent, sentAt, est } = attempt;
    const { failure } = answer;
    const isLost = failure.status === undefined;
    // A busy server that does not say how much it has left has less than the bucket believed.
    const isEmpty = failure.status === 429 && answer.limits === undefined;
    queue.report(permit, answer, isLost || isEmpty ? permit.tokens : 0);
    if (isLost) {
      state.lost = { teacher: queue.teacher.name, sentAt, est };
      queue.estimator.trust(state.call).billed();
      sent.answered(est ?? 0);
    } else await this.#context.append(failRecord(state, failure));
    return failure;
  }

  async #keep(
    state: CallState,
    reply: ChatReply,
    used: Used,
    { teacher, recovered }: { readonly teacher: Teacher; readonly recovered: boolean },
  ): Promise<CallOutcome> {
    const usd = dollarsOf(used.billed, teacher.price);
    await this.#context.append(doneRecord(state, reply, { ...used, usd, recovered }));
    return { ok: true, key: state.key, reply, replayed: false };
  }
}

const NOT_SENT = { kind: 'again', status: 0, message: 'not sent' } as const;

function isOpen(queue: AdmissionQueue): boolean {
  return queue.closedMs() === 0;
}

function isGone<S extends { readonly failure: ChatFailure | undefined }>(server: S): server is S & { failure: ChatFailure } {
  return server.failure !== undefined;
}

type QueueState = ReturnType<AdmissionQueue['state']>;

function addUp(a: ReturnType<Dispatcher['state']>, b: QueueState): ReturnType<Dispatcher['state']> {
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
