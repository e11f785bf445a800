import { rm } from 'node:fs/promises';
import { ulid } from '../base/ulid.ts';
import type { BatchApi, ChatFailure, Teacher } from '../teachers/teacher.ts';
import { type Batch, type BatchContext, type BatchedCall, mayBeBilled, newBatch, type PendingCall } from './batch.ts';
import { begin, leftBatches } from './batch-adopt.ts';
import { openBuffer } from './batch-buffer.ts';
import { requestFile, requestPath } from './batch-file.ts';
import { customIdOf } from './batch-keys.ts';
import { lostCalls } from './batch-lost.ts';
import { type BatchOutcome, carry } from './batch-run.ts';
import { dropStopped, give, isWaitedFor } from './batch-stops.ts';
import { findAgain, submit } from './batch-submit.ts';
import type { Claim } from './budget.ts';
import { type Call, type CallOutcome, MOST_UNREAD, requestOf } from './call.ts';
import type { Dispatcher, SessionContext } from './dispatcher.ts';
import { dollarsOf, estimator } from './estimate.ts';
import { Outage } from './outage.ts';
import { rateMeter } from './rate-meter.ts';
import { NotNeeded, ServerAway, type Stop, unanswered } from './shutdown.ts';
import { SpillFiles } from './spill-files.ts';
import { backoffMs } from './wait.ts';

/** Calls in hand at least, so that several files are worked on at once. */
const IN_HAND = 40_000;

/** Looks at the server between two tries to get into a queue that others fill. */
const LONGEST_REST = 20;

/** Batches refused in a row, after which the next one would be too. */
const REFUSALS = 3;

/** Calls of the first file under a budget, as long as nobody knows what the server bills beyond a reply's limit. */
const PROBES = 16;

export type BatchTeacher = Teacher & { readonly batch: BatchApi };

/**
 * Sends calls by the file. A call's body goes to the disk at once; what stays in memory is its key and who waits for it.
 * All that a restart needs is in the log. The request files are not kept for it: the calls of a batch that never came to
 * be are asked and written again, on whichever machine the step goes on.
 */
export function openBatchDispatcher(context: SessionContext, teacher: BatchTeacher): Dispatcher {
  const { shutdown, log, budget, note, retryPolicy, folders } = context;
  const { batch: api, price: live } = teacher;
  const [folder] = folders;
  const estimates = estimator({ reasoningTokens: teacher.reasoningTokens, probes: PROBES });
  const meters = { requests: rateMeter(), tokens: rateMeter() };
  const over = new AbortController();
  const shared: BatchContext = {
    ...context,
    teacher,
    api,
    estimates,
    over: over.signal,
    outage: new Outage(),
    oddWords: new Set(),
    price: live && { ...live, input: live.input * live.batch, output: live.output * live.batch },
    answered(tokens) {
      meters.requests.add(1, performance.now());
      meters.tokens.add(tokens, performance.now());
    },
  };
  const findLost = lostCalls(shared);
  const spill = new SpillFiles(folder);
  const tag = ulid(Date.now());
  const queue = context.queueOf(teacher.name, api.queuedTokens);
  const inHand = Math.max(IN_HAND, 2 * api.requests);
  const buffer = openBuffer({
    requests: api.requests,
    bytes: api.bytes,
    queue,
    tokensOf: ({ size }) => estimates.estimate(size).input,
    send,
    quietMs: retryPolicy.gatherMs,
  });
  const underway = new Set<Batch>();
  /** by SHA-256, from then on when it is known */
  const named = new Map<string, Batch>();
  const runs = new Set<Promise<void>>();
  /** Batches that go on at the server without this dispatcher. */
  const left: string[] = [];
  let refusals = 0;
  let isProbing = false;
  /** A batch that was not heard of to its end may have been worked on: nothing is asked again beside it. */
  let away: ServerAway | undefined;
  /** Calls that a batch of an earlier process was refused, before anybody here asked for them. */
  const refusedBefore = new Map<string, ChatFailure>();

  shutdown.signal.addEventListener('abort', turnAway, { once: true });
  const ready = adopt();
  // Whoever asks hears of it.
  ready.catch(() => undefined);

  /** Takes up what earlier processes left at the server. */
  async function adopt(): Promise<void> {
    const found = await leftBatches(context, teacher.name);
    if (found.length > 0) note(`Batches that were sent before are taken up again: ${found.length}`);
    for (const batch of found) {
      named.set(batch.sha, batch);
      await rm(requestPath(folder, batch.file), { force: true });
      // They may turn out cheaper than was thought: whoever does not fit under the cap waits for them too.
      const claim = budget.claim(() => 0).catch(() => undefined);
      start(batch, () => (batch.id === undefined ? findAgain(shared, batch, claim) : Promise.resolve()), claim);
    }
  }

  function send(calls: readonly PendingCall[], tokens: number): void {
    const members = new Map<string, BatchedCall>();
    for (const waiting of calls) {
      const { key, est } = waiting;
      const attempt = (log.known(key)?.attempt ?? 0) + 1;
      members.set(customIdOf(key, attempt), { key, attempt, est, waiting, answered: false, failure: undefined });
    }
    const batch = newBatch(members, tokens);
    async function* lines(): AsyncGenerator<string> {
      for (const [customId, { waiting }] of members)
        if (waiting !== undefined) yield api.line(customId, await spill.read(waiting.span));
    }
    start(batch, async () => {
      const file = await requestFile(folder, tag, lines);
      batch.sha = file.sha;
      batch.file = file.name;
      begin(log, file.sha);
      named.set(file.sha, batch);
      await submit(shared, batch, file);
    });
  }

  function start(batch: Batch, open: () => Promise<void>, claim?: Promise<Claim | undefined>): void {
    underway.add(batch);
    queue.enter(batch, batch.isAdopted ? undefined : buffer.pump);
    const run = carry(shared, batch, () => open().then(() => dropStopped(buffer, underway)))
      .then((outcome) => release(batch, outcome))
      .catch((error: unknown) => {
        leave(batch);
        if (batch.id !== undefined) left.push(batch.id);
        if (over.signal.aborted && !shutdown.signal.aborted) {
          for (const { waiting } of batch.members.values())
            give(waiting, ({ reject, stop }) => reject(stop.reason() ?? over.signal.reason));
          return;
        }
        const reason = error instanceof ServerAway ? error : shutdown.stop(error);
        for (const { waiting } of batch.members.values()) give(waiting, ({ reject }) => reject(reason));
        if (!(reason instanceof ServerAway)) return;
        away ??= reason;
        for (const waiting of buffer.take(() => true)) give(waiting, ({ reject }) => reject(away));
      })
      .finally(async () => {
        runs.delete(run);
        (await claim)?.settled();
      });
    runs.add(run);
  }

  function leave(batch: Batch): void {
    underway.delete(batch);
    queue.leave(batch);
    named.delete(batch.sha);
  }

  /** Tells those who still wait what came of their calls, or sends these again. In one go: nobody may come to wait meanwhile. */
  function release(batch: Batch, outcome: BatchOutcome): void {
    leave(batch);
    if (outcome.end === 'full') makeRoom(batch, outcome.reason);
    else if (outcome.end === 'read') {
      queue.admitted();
      refusals = 0;
    } else if (outcome.end === 'refused') refusals += 1;
    const isTooLarge = outcome.end === 'full' && batch.members.size === 1 && batch.tokens > queue.most;
    const hopeless = hopelessness(batch, outcome);
    if (hopeless !== undefined) shutdown.stop(unanswered([{ teacher, failure: hopeless }]));
    for (const member of batch.members.values()) {
      const { key, waiting, failure } = member;
      if (waiting === undefined && failure !== undefined && isFinal(failure)) refusedBefore.set(key, failure);
      give(waiting, (each) => {
        // A batch that was not worked on says nothing about its calls.
        each.tries += outcome.end === 'read' || outcome.end === 'gone' ? 1 : 0;
        each.unread += outcome.end !== 'never' && mayBeBilled(member) ? 1 : 0;
        if (shutdown.signal.aborted) each.reject(shutdown.reason());
        else if (failure !== undefined && isFinal(failure)) each.resolve({ ok: false, key, failure, replayed: false });
        else if (each.tries < retryPolicy.attempts && each.unread < MOST_UNREAD && !isTooLarge) void admit(each);
        else each.resolve({ ok: false, key, failure: failure ?? LOST, replayed: false });
      });
    }
    queue.wake();
  }

  function makeRoom(batch: Batch, reason: string): void {
    const times = queue.refused(batch.tokens, reason);
    if (times === 1) note(`${reason}; its calls are sent again when there is room`);
    // Others wait in the queue, whose end nobody here hears of.
    if (queue.batches === 0) queue.rest(backoffMs(times, api.pollMs, LONGEST_REST * api.pollMs, 1));
  }

  /** What will not be different for the next batch, if anything. */
  function hopelessness({ members }: Batch, outcome: BatchOutcome): ChatFailure | undefined {
    for (const { failure } of members.values()) if (failure?.kind === 'stop' || failure?.kind === 'quota') return failure;
    if (outcome.end !== 'refused' || refusals < REFUSALS) return undefined;
    return { kind: 'stop', message: outcome.reason, status: 400, afterMs: undefined };
  }

  function sayProbing(): void {
    if (isProbing) return;
    isProbing = true;
    note(
      `"${teacher.name}" is first asked ${PROBES} calls of each kind: what it bills beyond maxTokens is not known; reasoningTokens in the recipe says it`,
    );
  }

  async function admit(waiting: PendingCall): Promise<void> {
    try {
      const { size } = waiting;
      const most = () => dollarsOf(estimates.most(size), shared.price) ?? 0;
      if (budget.capUsd !== undefined && most() > 0 && estimates.trust(size).isFull) sayProbing();
      waiting.claim = await budget.claim(most, estimates.trust(size));
      waiting.est = shared.price === undefined ? null : waiting.claim.usd;
      waiting.stop.check();
      if (away !== undefined) throw away;
      buffer.add(waiting);
    } catch (error) {
      const reason = error instanceof ServerAway || error instanceof NotNeeded ? error : shutdown.stop(error);
      give(waiting, ({ reject }) => reject(reason));
    }
  }

  /** Nothing new is sent; batches go on at the server. */
  function turnAway(): void {
    for (const waiting of buffer.take(() => true)) give(waiting, ({ reject }) => reject(shutdown.reason()));
  }

  /** When nobody waits any more but for what is not sent yet, nothing is sent any more. */
  function heedStops(): void {
    dropStopped(buffer, underway);
    if (buffer.isEmpty && !isWaitedFor(underway)) over.abort();
  }

  /** Not the answer itself: a promise of it in an object, so that nobody holds the call until it comes. */
  async function enter(call: Call, key: string, stop: Stop): Promise<{ readonly outcome: Promise<CallOutcome> }> {
    await ready;
    stop.check();
    if (away !== undefined) throw away;
    const span = await spill.put(api.body(requestOf(call, key)));
    const { model } = call;
    const size = estimates.sizeOf(call);
    const before = log.known(key);
    const batch = before?.state === 'sent' && before.batch !== undefined ? named.get(before.batch) : undefined;
    const member = batch?.members.get(customIdOf(key, before?.attempt ?? 0));
    const lost = before?.state === 'sent' && member === undefined ? await findLost(call, key, before, stop) : undefined;
    const reply = lost ?? (before?.state === 'done' ? await log.reply(key) : undefined);
    const refusal = refusedBefore.get(key);
    const { promise, resolve, reject } = Promise.withResolvers<CallOutcome>();
    const waiting: PendingCall = {
      key,
      model,
      size,
      stop,
      span,
      tries: 0,
      unread: 0,
      claim: undefined,
      est: null,
      resolve,
      reject,
    };
    if (reply !== undefined) resolve({ ok: true, key, reply, replayed: false });
    else if (refusal !== undefined) resolve({ ok: false, key, failure: refusal, replayed: false });
    else if (batch === undefined || member === undefined) void admit(waiting);
    else {
      member.waiting = waiting;
      batch.wanted.resolve();
      batch.tokens += estimates.estimate(size).input;
    }
    return { outcome: promise.finally(() => spill.drop(span)) };
  }

  return {
    isLive: false,
    inHand,
    settle: (call, key, stop) => enter(call, key, stop).then(({ outcome }) => outcome),
    heedStops,
    state() {
      const now = performance.now();
      const requests = meters.requests.sum(now);
      const outage = shared.outage.now;
      return {
        ...(outage === undefined ? {} : { waitsFor: { server: teacher.where, ...outage } }),
        inFlight: [...underway].reduce((sum, { members }) => sum + members.size, 0),
        ceiling: inHand,
        requestsPerMinute: requests,
        requestLimit: null,
        tokensPerMinute: meters.tokens.sum(now),
        tokenLimit: null,
        busy: 0,
        batches: underway.size,
      };
    },
    async close() {
      over.abort();
      await ready.catch(() => undefined);
      await Promise.all(runs);
      if (left.length > 0) note(`Batches go on at "${teacher.name}": ${left.join(', ')}; their answers are taken later`);
      shutdown.signal.removeEventListener('abort', turnAway);
      await spill.close();
    },
  };
}

/** Nobody need ask it again in this session. */
const isFinal = ({ kind }: ChatFailure) => kind === 'final' || kind === 'refused';

const LOST: ChatFailure = { kind: 'again', message: 'its batch is lost', status: undefined, afterMs: undefined };
