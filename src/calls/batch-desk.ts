import { rm } from 'node:fs/promises';
import { ulid } from '../base/ulid.ts';
import type { BatchApi, ChatFailure, Teacher } from '../teachers/teacher.ts';
import type { Batch, BatchFloor, Member, Waiting } from './batch.ts';
import { requestFile, requestPath } from './batch-file.ts';
import { customIdOf, sentCalls } from './batch-keys.ts';
import { tokenQueue } from './batch-queue.ts';
import { carry, type Verdict } from './batch-run.ts';
import { openShelf } from './batch-shelf.ts';
import { findAgain, submit } from './batch-submit.ts';
import { openTray } from './batch-tray.ts';
import { type Call, type CallOutcome, requestOf } from './call.ts';
import type { Desk, Floor } from './desk.ts';
import { dollarsOf, estimator } from './estimate.ts';
import { unanswered } from './halt.ts';
import type { Known } from './known-calls.ts';
import { rateMeter } from './rate-meter.ts';
import { reconciler } from './reconcile.ts';
import { backoffMs } from './wait.ts';

/** Calls in hand at least, so that several files are worked on at once. */
const IN_HAND = 40_000;

/** Batches refused in a row, after which the next one would be too. */
const REFUSALS = 3;

export type BatchTeacher = Teacher & { readonly batch: BatchApi };

/**
 * Sends calls by the file. A call's body goes to the disk at once; what stays in memory is its key and who waits for it.
 * All that a restart needs is in the log. The request files are not kept for it: the calls of a batch that never came to
 * be are asked and written again, on whichever machine the step goes on.
 */
export function openBatchDesk(floor: Floor, teacher: BatchTeacher): Desk {
  const { halt, log, budget, note, patience, folders } = floor;
  const { batch: api, price: live } = teacher;
  const [folder] = folders;
  const estimates = estimator();
  const reconcile = reconciler(floor);
  const meters = { requests: rateMeter(), tokens: rateMeter() };
  const over = new AbortController();
  const shared: BatchFloor = {
    ...floor,
    teacher,
    api,
    estimates,
    over: over.signal,
    price: live && { ...live, input: live.input * live.batch, output: live.output * live.batch },
    answered(tokens) {
      meters.requests.add(1, performance.now());
      meters.tokens.add(tokens, performance.now());
    },
  };
  const shelf = openShelf(folder);
  const tag = ulid(Date.now());
  const queue = tokenQueue(api.queuedTokens);
  const inHand = Math.max(IN_HAND, 2 * api.requests);
  const tray = openTray({
    requests: api.requests,
    bytes: api.bytes,
    queue,
    tokensOf: ({ size }) => estimates.estimate(size).input,
    underway: () => ({ count: underway.size, tokens: [...underway].reduce((sum, { tokens }) => sum + tokens, 0) }),
    send,
    quietMs: patience.gatherMs,
  });
  const underway = new Set<Batch>();
  /** by SHA-256, from then on when it is known */
  const named = new Map<string, Batch>();
  const runs = new Set<Promise<void>>();
  /** Batches that go on at the server without this desk. */
  const left: string[] = [];
  let refusals = 0;
  let fullInARow = 0;

  halt.signal.addEventListener('abort', turnAway, { once: true });
  const ready = adopt();
  // Whoever asks hears of it.
  ready.catch(() => undefined);

  /** Takes up what earlier processes left at the server. */
  async function adopt(): Promise<void> {
    const found = log.batches().filter((batch) => !batch.ended && batch.teacher === teacher.name);
    if (found.length > 0) note(`${found.length} batches that were sent before are taken up again`);
    const calls = await sentCalls(folders, new Set(found.map(({ sha }) => sha)));
    for (const { sha, file = '', id } of found) {
      const members = new Map<string, Member>();
      for (const [customId, { key, attempt, est }] of calls.get(sha) ?? [])
        members.set(customId, { key, attempt, est, waiting: undefined, answered: false, failure: undefined });
      const batch: Batch = { sha, file, members, id, tokens: 0, isAdopted: true, isRecovered: false };
      named.set(sha, batch);
      await rm(requestPath(folder, file), { force: true });
      start(batch, () => (id === undefined ? findAgain(shared, batch) : Promise.resolve()));
    }
  }

  function send(calls: readonly Waiting[], tokens: number): void {
    const members = new Map<string, Member>();
    for (const waiting of calls) {
      const { key, est } = waiting;
      const attempt = (log.known(key)?.attempt ?? 0) + 1;
      members.set(customIdOf(key, attempt), { key, attempt, est, waiting, answered: false, failure: undefined });
    }
    const batch: Batch = { sha: '', file: '', members, id: undefined, tokens, isAdopted: false, isRecovered: false };
    async function* lines(): AsyncGenerator<string> {
      for (const [customId, { waiting }] of members)
        if (waiting !== undefined) yield api.line(customId, await shelf.read(waiting.place));
    }
    start(batch, async () => {
      const file = await requestFile(folder, tag, lines);
      batch.sha = file.sha;
      batch.file = file.name;
      named.set(file.sha, batch);
      await submit(shared, batch, file);
    });
  }

  function start(batch: Batch, begin: () => Promise<void>): void {
    underway.add(batch);
    const run = carry(shared, batch, begin)
      .then((verdict) => release(batch, verdict))
      .catch((error: unknown) => {
        leave(batch);
        if (batch.id !== undefined) left.push(batch.id);
        if (over.signal.aborted && !halt.signal.aborted) return;
        const reason = halt.stop(error);
        for (const { waiting } of batch.members.values()) give(waiting, ({ reject }) => reject(reason));
      })
      .finally(() => runs.delete(run));
    runs.add(run);
  }

  function leave(batch: Batch): void {
    underway.delete(batch);
    named.delete(batch.sha);
  }

  function give(waiting: Waiting | undefined, tell: (waiting: Waiting) => void): void {
    if (waiting === undefined) return;
    waiting.claim?.settled();
    waiting.claim = undefined;
    tell(waiting);
  }

  /** Tells those who still wait what came of their calls, or sends these again. In one go: nobody may come to wait meanwhile. */
  function release(batch: Batch, verdict: Verdict): void {
    leave(batch);
    const isAlone = batch.members.size === 1 && underway.size === 0;
    if (verdict.end === 'full') makeRoom(batch, verdict.reason);
    else if (verdict.end === 'read') {
      queue.admitted();
      fullInARow = 0;
      refusals = 0;
    } else if (verdict.end === 'refused') refusals += 1;
    const hopeless = hopelessness(batch, verdict);
    if (hopeless !== undefined) halt.stop(unanswered([{ teacher, failure: hopeless }]));
    for (const { key, waiting, failure } of batch.members.values()) {
      give(waiting, (each) => {
        // A batch that was not worked on says nothing about its calls, but for one that does not even fit in alone.
        each.tries += verdict.end === 'read' || verdict.end === 'gone' || isAlone ? 1 : 0;
        if (halt.signal.aborted) each.reject(halt.reason());
        else if (failure?.kind === 'final') each.resolve({ ok: false, key, failure, replayed: false });
        else if (each.tries < patience.attempts) void admit(each);
        else each.resolve({ ok: false, key, failure: failure ?? LOST, replayed: false });
      });
    }
    tray.pump();
  }

  function makeRoom(batch: Batch, reason: string): void {
    const others = [...underway].reduce((sum, { tokens }) => sum + tokens, 0);
    queue.refused(batch.tokens, others, reason);
    fullInARow += 1;
    if (underway.size === 0) tray.rest(api.pollMs + backoffMs(fullInARow, api.pollMs, Math.max(patience.capMs, api.pollMs), 1));
  }

  /** What will not be different for the next batch, if anything. */
  function hopelessness({ members }: Batch, verdict: Verdict): ChatFailure | undefined {
    for (const { failure } of members.values()) if (failure?.kind === 'stop' || failure?.kind === 'quota') return failure;
    if (verdict.end !== 'refused' || refusals < REFUSALS) return undefined;
    return { kind: 'stop', message: verdict.reason, status: 400, afterMs: undefined };
  }

  async function admit(waiting: Waiting): Promise<void> {
    try {
      waiting.est = dollarsOf(estimates.estimate(waiting.size), shared.price);
      waiting.claim = await budget.claim(waiting.est ?? 0);
      halt.check();
      tray.add(waiting);
    } catch (error) {
      const reason = halt.stop(error);
      give(waiting, ({ reject }) => reject(reason));
    }
  }

  /** Nothing new is sent; batches go on at the server. */
  function turnAway(): void {
    for (const waiting of tray.empty()) give(waiting, ({ reject }) => reject(halt.reason()));
  }

  /** The answer to a call that was sent live and got lost, or a word on what that may cost. */
  async function findLost(call: Call, key: string, { attempt, batch, sentAt, est }: Known & { state: 'sent' }) {
    const isOurs = batch === undefined && (await log.sentTo(key)) === teacher.name;
    const reply = isOurs ? await reconcile(teacher, call.model, key, sentAt) : undefined;
    if (reply === undefined) {
      if (!isOurs || teacher.settleMs === 0) floor.doubt(est);
      return undefined;
    }
    const used = estimates.learn(call, reply);
    const { requestId: rid = null, raw } = reply;
    const usd = dollarsOf(used, live);
    await floor.append({ t: 'done', k: key, a: attempt, usd, in: used.input, out: used.output, recovered: true, rid, raw });
    return reply;
  }

  /** Not the answer itself: a promise of it in an object, so that nobody holds the call until it comes. */
  async function enter(call: Call, key: string): Promise<{ readonly outcome: Promise<CallOutcome> }> {
    await ready;
    halt.check();
    const place = await shelf.put(api.body(requestOf(call, key)));
    const { model } = call;
    const size = estimates.sizeOf(call);
    const before = log.known(key);
    const batch = before?.state === 'sent' && before.batch !== undefined ? named.get(before.batch) : undefined;
    const member = batch?.members.get(customIdOf(key, before?.attempt ?? 0));
    const lost = before?.state === 'sent' && member === undefined ? await findLost(call, key, before) : undefined;
    const reply = lost ?? (before?.state === 'done' ? await log.reply(key) : undefined);
    const { promise, resolve, reject } = Promise.withResolvers<CallOutcome>();
    const waiting: Waiting = { key, model, size, place, tries: 0, claim: undefined, est: null, resolve, reject };
    if (reply !== undefined) resolve({ ok: true, key, reply, replayed: false });
    else if (batch === undefined || member === undefined) void admit(waiting);
    else {
      member.waiting = waiting;
      batch.tokens += estimates.estimate(size).input;
    }
    return { outcome: promise.finally(() => shelf.drop(place)) };
  }

  return {
    inHand,
    settle: (call, key) => enter(call, key).then(({ outcome }) => outcome),
    state() {
      const now = performance.now();
      const requests = meters.requests.sum(now);
      return {
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
      if (left.length > 0) note(`Batches go on at "${teacher.name}": ${left.join(', ')}; the next run takes their answers`);
      halt.signal.removeEventListener('abort', turnAway);
      await shelf.close();
    },
  };
}

const LOST: ChatFailure = { kind: 'again', message: 'its batch is lost', status: undefined, afterMs: undefined };
