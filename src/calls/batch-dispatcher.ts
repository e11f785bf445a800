import type { TeacherProgress } from '../model/event.ts';
import type { BatchApi, ChatReply, Teacher } from '../teachers/teacher.ts';
import { type BatchContext, give, type PendingCall } from './batch.ts';
import { BatchRuns } from './batch-runs.ts';
import { type Call, type CallOutcome, requestOf } from './call.ts';
import type { Dispatcher, SessionContext } from './dispatcher.ts';
import { dollarsOf, Estimator } from './estimate.ts';
import type { KnownCall } from './known-calls.ts';
import { Outage } from './outage.ts';
import { RateMeter } from './rate-meter.ts';
import { NOT_STORED, reconciler } from './reconcile.ts';
import { doneRecord, failRecord } from './record.ts';
import { NotNeeded, ServerAway, type Stop } from './shutdown.ts';
import { SpillFiles } from './spill-files.ts';

/** Least calls in hand, so that several files are worked on at once. */
const IN_HAND = 40_000;

/** Calls of the first file under a budget, as long as it is not known what the server bills beyond a reply's limit. */
const PROBES = 16;

type BatchTeacher = Teacher & { readonly batch: BatchApi };

/**
 * Sends calls by the file. A call's body goes to the disk at once; its key and the promise to its caller stay in memory.
 * All that a restart needs is in the log. The request files are not kept for it: the calls of a batch that never came to
 * be are asked and written again, on whichever machine the step goes on.
 */
export class BatchDispatcher implements Dispatcher {
  readonly isLive = false;
  readonly inHand: number;
  readonly #context: BatchContext;
  readonly #spill: SpillFiles;
  readonly #runs: BatchRuns;
  readonly #findLost: ReturnType<typeof lostCalls>;
  readonly #meters = { requests: new RateMeter(), tokens: new RateMeter() };
  readonly #over = new AbortController();
  /** Resolves when the batches of earlier processes are taken up. */
  readonly #ready: Promise<void>;
  #isProbing = false;

  constructor(session: SessionContext, teacher: BatchTeacher) {
    const { batch: api, price: live } = teacher;
    this.inHand = Math.max(IN_HAND, 2 * api.requests);
    this.#context = {
      ...session,
      teacher,
      api,
      estimates: new Estimator({ reasoningTokens: teacher.reasoningTokens, probes: PROBES }),
      over: this.#over.signal,
      outage: new Outage(),
      oddWords: new Set(),
      price: live && { ...live, input: live.input * live.batch, output: live.output * live.batch },
      answered: (tokens) => {
        this.#meters.requests.add(1, performance.now());
        this.#meters.tokens.add(tokens, performance.now());
      },
    };
    this.#findLost = lostCalls(this.#context);
    this.#spill = new SpillFiles(session.folders[0]);
    this.#runs = new BatchRuns(this.#context, this.#spill, (call) => void this.#admit(call));
    session.shutdown.signal.addEventListener('abort', this.#rejectUnsent, { once: true });
    this.#ready = this.#runs.adopt();
    // Every call awaits this promise and rejects with it.
    this.#ready.catch(() => undefined);
  }

  settle(call: Call, key: string, stop: Stop): Promise<CallOutcome> {
    return this.#enqueue(call, key, stop).then(({ outcome }) => outcome);
  }

  heedStops(): void {
    // When only calls whose batch is not sent yet have callers left, the dispatcher sends no more batches.
    if (this.#runs.heedStops()) this.#over.abort();
  }

  state(): Omit<TeacherProgress, 'id'> {
    const now = performance.now();
    const outage = this.#context.outage.now;
    return {
      ...(outage === undefined ? {} : { waitsFor: { server: this.#context.teacher.where, ...outage } }),
      inFlight: this.#runs.calls,
      ceiling: this.inHand,
      requestsPerMinute: this.#meters.requests.sum(now),
      requestLimit: null,
      tokensPerMinute: this.#meters.tokens.sum(now),
      tokenLimit: null,
      busy: 0,
      batches: this.#runs.batches,
    };
  }

  async close(): Promise<void> {
    const { note, teacher, shutdown } = this.#context;
    this.#over.abort();
    await this.#ready.catch(() => undefined);
    const left = await this.#runs.ended();
    if (left.length > 0) note(`Batches go on at "${teacher.name}": ${left.join(', ')}; their answers are taken later`);
    shutdown.signal.removeEventListener('abort', this.#rejectUnsent);
    await this.#spill.close();
  }

  /** Returns a promise of the answer in an object, so that the call's text is not held in memory until the answer comes. */
  async #enqueue(call: Call, key: string, stop: Stop): Promise<{ readonly outcome: Promise<CallOutcome> }> {
    const { api, estimates } = this.#context;
    await this.#ready;
    stop.check();
    this.#runs.checkAway();
    const span = await this.#spill.put(api.body(requestOf(call, key)));
    const { promise, resolve, reject } = Promise.withResolvers<CallOutcome>();
    const { model } = call;
    const size = estimates.sizeOf(call);
    const pending = { key, model, size, stop, span, tries: 0, unread: 0, claim: undefined, est: null, resolve, reject };
    await this.#place(call, pending);
    return { outcome: promise.finally(() => this.#spill.drop(span)) };
  }

  /** Answers the call from what is known, lets it wait for the batch that has it, or sends it with one of the next. */
  async #place(call: Call, pending: PendingCall): Promise<void> {
    const { key } = pending;
    const before = this.#context.log.known(key);
    const place = before?.state === 'sent' ? this.#runs.find(key, before) : undefined;
    const reply = before === undefined || place !== undefined ? undefined : await this.#replyTo(call, pending, before);
    const refusal = this.#runs.refusedBefore.get(key);
    if (reply !== undefined) pending.resolve({ ok: true, key, reply, replayed: false });
    else if (refusal !== undefined) pending.resolve({ ok: false, key, failure: refusal, replayed: false });
    else if (place === undefined) void this.#admit(pending);
    else this.#runs.attach(place, pending);
  }

  async #replyTo(call: Call, { key, stop }: PendingCall, before: KnownCall): Promise<ChatReply | undefined> {
    if (before.state === 'sent') return this.#findLost(call, key, before, stop);
    return before.state === 'done' ? this.#context.log.reply(key) : undefined;
  }

  async #admit(call: PendingCall): Promise<void> {
    const { estimates, price, budget, shutdown } = this.#context;
    try {
      const trust = estimates.trust(call.size);
      const most = () => dollarsOf(estimates.most(call.size), price) ?? 0;
      if (budget.capUsd !== undefined && most() > 0 && trust.isFull) this.#sayProbing();
      call.claim = await budget.claim(most, trust);
      call.est = price === undefined ? null : call.claim.usd;
      call.stop.check();
      this.#runs.checkAway();
      this.#runs.add(call);
    } catch (error) {
      const reason = error instanceof ServerAway || error instanceof NotNeeded ? error : shutdown.stop(error);
      give(call, ({ reject }) => reject(reason));
    }
  }

  #sayProbing(): void {
    if (this.#isProbing) return;
    this.#isProbing = true;
    this.#context.note(
      `"${this.#context.teacher.name}" is first asked ${PROBES} calls of each kind: what it bills beyond maxTokens is not known; reasoningTokens in the recipe says it`,
    );
  }

  readonly #rejectUnsent = (): void => this.#runs.rejectUnsent(this.#context.shutdown.reason());
}

/**
 * Looks for the answer to a call that was sent and got lost, but not with a batch that is still waited for. The answer to a
 * live call may be in the server's store; any other call counts as perhaps paid twice.
 */
function lostCalls(
  context: BatchContext,
): (call: Call, key: string, sent: KnownCall & { state: 'sent' }, stop: Stop) => Promise<ChatReply | undefined> {
  const { log, teacher, estimates, append, doubt, outage } = context;
  const reconcile = reconciler(context);

  return async (call, key, { attempt, batch, sentAt, est }, stop) => {
    const mayBeStored = batch === undefined && teacher.settleMs > 0 && (await log.sentTo(key)) === teacher.name;
    const reply = mayBeStored ? await reconcile(teacher, { model: call.model, key, sentAt, stop, outage }) : undefined;
    if (reply === undefined) {
      doubt({ key, attempt, est });
      return undefined;
    }
    if (reply === 'not stored') {
      await append(failRecord({ key, attempt }, NOT_STORED));
      return undefined;
    }
    const used = estimates.learn(call, reply);
    const usd = dollarsOf(used.billed, teacher.price);
    await append(doneRecord({ key, attempt }, reply, { ...used, usd, recovered: true }));
    return reply;
  };
}
