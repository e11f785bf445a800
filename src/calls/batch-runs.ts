import { rm } from 'node:fs/promises';
import { ulid } from '../base/ulid.ts';
import type { ChatFailure } from '../teachers/teacher.ts';
import { type Batch, type BatchContext, type BatchedCall, give, mayBeBilled, newBatch, type PendingCall } from './batch.ts';
import { BatchBuffer } from './batch-buffer.ts';
import { requestFile, requestPath } from './batch-file.ts';
import { begin, customIdOf, leftBatches } from './batch-keys.ts';
import type { TokenQueue } from './batch-queue.ts';
import { type BatchEnd, runBatch } from './batch-run.ts';
import { findAgain, submit } from './batch-submit.ts';
import type { Claim } from './budget.ts';
import { MOST_UNREAD } from './call.ts';
import { ServerAway, unanswered } from './shutdown.ts';
import type { SpillFiles } from './spill-files.ts';
import { backoffMs } from './wait.ts';

/** Most looks at the server between two tries to get into a queue that others fill. */
const LONGEST_REST = 20;

/** Batches refused in a row, after which the next one would be too. */
const REFUSALS = 3;

/** A call in a batch that is on its way. */
export interface BatchPlace {
  readonly batch: Batch;
  readonly member: BatchedCall;
}

/**
 * The batches of one dispatcher. Calls gather in a buffer and go out by the file; when their batch ends they are answered,
 * refused, or handed to `again`. Batches that an earlier process left at the server are taken up with them.
 */
export class BatchRuns {
  readonly #context: BatchContext;
  readonly #spill: SpillFiles;
  readonly #again: (call: PendingCall) => void;
  readonly #tag = ulid(Date.now());
  readonly #queue: TokenQueue;
  readonly #buffer: BatchBuffer;
  readonly #underway = new Set<Batch>();
  /** by SHA-256, from then on when it is known */
  readonly #named = new Map<string, Batch>();
  readonly #running = new Set<Promise<void>>();
  /** Batches that go on at the server without this process. */
  readonly #left: string[] = [];
  #refusals = 0;
  #away: ServerAway | undefined;
  /** Calls that the server refused in a batch of an earlier process, before this session asked for them. */
  readonly refusedBefore = new Map<string, ChatFailure>();

  constructor(context: BatchContext, spill: SpillFiles, again: (call: PendingCall) => void) {
    const { api, teacher, estimates, retryPolicy } = context;
    this.#context = context;
    this.#spill = spill;
    this.#again = again;
    this.#queue = context.queueOf(teacher.name, api.queuedTokens);
    this.#buffer = new BatchBuffer({
      requests: api.requests,
      bytes: api.bytes,
      queue: this.#queue,
      tokensOf: ({ size }) => estimates.estimate(size).input,
      send: (calls, tokens) => this.#send(calls, tokens),
      quietMs: retryPolicy.gatherMs,
    });
  }

  get batches(): number {
    return this.#underway.size;
  }

  get calls(): number {
    return [...this.#underway].reduce((sum, { members }) => sum + members.size, 0);
  }

  /** Throws once a batch was not heard of to its end: it may have been worked on, and nothing is asked again beside it. */
  checkAway(): void {
    if (this.#away !== undefined) throw this.#away;
  }

  /** Takes up what earlier processes left at the server. */
  async adopt(): Promise<void> {
    const { teacher, budget, note, folders } = this.#context;
    const found = await leftBatches(this.#context, teacher.name);
    if (found.length > 0) note(`Batches that were sent before are taken up again: ${found.length}`);
    for (const batch of found) {
      this.#named.set(batch.sha, batch);
      await rm(requestPath(folders[0], batch.file), { force: true });
      // They may turn out cheaper than was thought: a call that does not fit under the cap waits for them too.
      const claim = budget.claim(() => 0).catch(() => undefined);
      const find = () => (batch.id === undefined ? findAgain(this.#context, batch, claim) : Promise.resolve());
      this.#start(batch, find, claim);
    }
  }

  /** The batch that a call was sent with, if it is still on its way. */
  find(key: string, sent: { readonly batch: string | undefined; readonly attempt: number }): BatchPlace | undefined {
    const batch = sent.batch === undefined ? undefined : this.#named.get(sent.batch);
    const member = batch?.members.get(customIdOf(key, sent.attempt));
    return batch === undefined || member === undefined ? undefined : { batch, member };
  }

  /** The call waits for the answer that its batch will bring. */
  attach({ batch, member }: BatchPlace, call: PendingCall): void {
    member.waiting = call;
    batch.wanted.resolve();
    batch.tokens += this.#context.estimates.estimate(call.size).input;
  }

  /** The call goes with one of the next batches. */
  add(call: PendingCall): void {
    this.#buffer.add(call);
  }

  /** Calls that are not sent yet end with `reason`; batches go on at the server. */
  rejectUnsent(reason: unknown): void {
    for (const call of this.#buffer.take(() => true)) give(call, ({ reject }) => reject(reason));
  }

  /** Rejects the calls whose stop has come; says whether no call waits any more. */
  heedStops(): boolean {
    this.#dropStopped();
    const waiting = [...this.#underway].flatMap(({ members }) => [...members.values()].map((member) => member.waiting));
    return this.#buffer.isEmpty && waiting.every((call) => call === undefined || isStopped(call));
  }

  /** Resolves when no batch is followed any more; returns those that go on at the server. */
  async ended(): Promise<readonly string[]> {
    await Promise.all(this.#running);
    return this.#left;
  }

  #send(calls: readonly PendingCall[], tokens: number): void {
    const { log, api, folders } = this.#context;
    const spill = this.#spill;
    const members = new Map<string, BatchedCall>();
    for (const waiting of calls) {
      const { key, est } = waiting;
      const attempt = (log.known(key)?.attempt ?? 0) + 1;
      members.set(customIdOf(key, attempt), { key, attempt, est, waiting, answered: false, failure: undefined });
    }
    async function* lines(): AsyncGenerator<string> {
      for (const [customId, { waiting }] of members)
        if (waiting !== undefined) yield api.line(customId, await spill.read(waiting.span));
    }
    const batch = newBatch(members, tokens);
    this.#start(batch, async () => {
      const file = await requestFile(folders[0], this.#tag, lines);
      batch.sha = file.sha;
      batch.file = file.name;
      begin(log, file.sha);
      this.#named.set(file.sha, batch);
      await submit(this.#context, batch, file);
    });
  }

  #start(batch: Batch, open: () => Promise<void>, claim?: Promise<Claim | undefined>): void {
    this.#underway.add(batch);
    this.#queue.add(batch, batch.isAdopted ? undefined : this.#buffer.pump);
    const run = runBatch(this.#context, batch, () => open().then(() => this.#dropStopped()))
      .then((outcome) => this.#finish(batch, outcome))
      .catch((error: unknown) => this.#fail(batch, error))
      .finally(async () => {
        this.#running.delete(run);
        (await claim)?.settled();
      });
    this.#running.add(run);
  }

  /** What was sent goes on at the server; a session that asks for such a call later takes it up there. */
  #dropStopped(): void {
    for (const call of this.#buffer.take(isStopped)) give(call, rejectStopped);
    for (const { id, members } of this.#underway) {
      // Until the server has the file its lines are read from the spill files, which keep them for the calls that wait.
      if (id === undefined) continue;
      for (const member of members.values()) {
        const { waiting } = member;
        if (waiting === undefined || !isStopped(waiting)) continue;
        member.waiting = undefined;
        give(waiting, rejectStopped);
      }
    }
  }

  #forget(batch: Batch): void {
    this.#underway.delete(batch);
    this.#queue.remove(batch);
    this.#named.delete(batch.sha);
  }

  /** The batch is not followed to its end. Its calls end with why. */
  #fail(batch: Batch, error: unknown): void {
    const { over, shutdown } = this.#context;
    this.#forget(batch);
    if (batch.id !== undefined) this.#left.push(batch.id);
    const isOver = over.aborted && !shutdown.signal.aborted;
    const reason = isOver ? over.reason : error instanceof ServerAway ? error : shutdown.stop(error);
    for (const { waiting } of batch.members.values())
      give(waiting, ({ reject, stop }) => reject((isOver ? stop.reason() : undefined) ?? reason));
    if (isOver || !(reason instanceof ServerAway)) return;
    this.#away ??= reason;
    this.rejectUnsent(this.#away);
  }

  /** Tells the callers what came of their calls, or sends these again. In one turn, so that no caller is added meanwhile. */
  #finish(batch: Batch, outcome: BatchEnd): void {
    const { teacher, shutdown } = this.#context;
    this.#forget(batch);
    if (outcome.end === 'full') this.#makeRoom(batch, outcome.reason);
    else if (outcome.end === 'read') {
      this.#queue.admitted();
      this.#refusals = 0;
    } else if (outcome.end === 'refused') this.#refusals += 1;
    const isTooLarge = outcome.end === 'full' && batch.members.size === 1 && batch.tokens > this.#queue.most;
    const failure = this.#failureOfAll(batch, outcome);
    if (failure !== undefined) shutdown.stop(unanswered([{ teacher, failure }]));
    for (const member of batch.members.values()) this.#giveBack(member, outcome, isTooLarge);
    this.#queue.wake();
  }

  #giveBack(member: BatchedCall, outcome: BatchEnd, isTooLarge: boolean): void {
    const { shutdown, retryPolicy } = this.#context;
    const { key, waiting, failure } = member;
    const isRefused = failure?.kind === 'final' || failure?.kind === 'refused';
    if (isRefused && waiting === undefined) this.refusedBefore.set(key, failure);
    give(waiting, (call) => {
      // A batch that was not worked on says nothing about its calls.
      call.tries += outcome.end === 'read' || outcome.end === 'gone' ? 1 : 0;
      call.unread += outcome.end !== 'never' && mayBeBilled(member) ? 1 : 0;
      const isGivenUp = isRefused || isTooLarge || call.tries >= retryPolicy.attempts || call.unread >= MOST_UNREAD;
      if (shutdown.signal.aborted) call.reject(shutdown.reason());
      else if (isGivenUp) call.resolve({ ok: false, key, failure: failure ?? LOST, replayed: false });
      else this.#again(call);
    });
  }

  #makeRoom(batch: Batch, reason: string): void {
    const { api, note } = this.#context;
    const times = this.#queue.refused(batch.tokens, reason);
    if (times === 1) note(`${reason}; its calls are sent again when there is room`);
    // Batches of other processes fill the queue, and the server does not tell this process when they end.
    if (this.#queue.batches === 0) this.#queue.rest(backoffMs(times, api.pollMs, LONGEST_REST * api.pollMs, 1));
  }

  /** What will not be different for the next batch, if anything. */
  #failureOfAll({ members }: Batch, outcome: BatchEnd): ChatFailure | undefined {
    for (const { failure } of members.values()) if (failure?.kind === 'stop' || failure?.kind === 'quota') return failure;
    if (outcome.end !== 'refused' || this.#refusals < REFUSALS) return undefined;
    return { kind: 'stop', message: outcome.reason, status: 400, afterMs: undefined };
  }
}

const isStopped = ({ stop }: PendingCall) => stop.signal.aborted;
const rejectStopped = ({ reject, stop }: PendingCall) => reject(stop.reason());

const LOST: ChatFailure = { kind: 'again', message: 'its batch is lost', status: undefined, afterMs: undefined };
