import type { CallsProgress } from '../model/event.ts';
import type { ChatReply, Teacher } from '../teachers/teacher.ts';
import { BatchDispatcher } from './batch-dispatcher.ts';
import { tokenQueues } from './batch-queue.ts';
import { Budget } from './budget.ts';
import { type Call, type CallOutcome, callKey } from './call.ts';
import { CallKinds } from './call-kind.ts';
import { type CallLog, openCallLog } from './call-log.ts';
import { CALL_RETRY_POLICY, type CallRetryPolicy } from './call-retry-policy.ts';
import { Counts, Doubts, type Sums } from './counts.ts';
import type { Dispatcher, SessionContext } from './dispatcher.ts';
import { FLUSH_BOUND, type FlushBound, Flusher } from './flusher.ts';
import { GaveUp } from './gave-up.ts';
import type { CallUsage } from './known-calls.ts';
import { LiveDispatcher } from './live-dispatcher.ts';
import type { LogRecord } from './record.ts';
import { Servers } from './servers.ts';
import { logUnwritable, NotNeeded, PrefetchStop, ServerAway, Shutdown, type Stop } from './shutdown.ts';

export interface SessionOptions {
  /** What the calls are for, `STAGE/STEP`, for messages. */
  readonly step?: string;
  /** folder of the call log */
  readonly callLog: string;
  readonly teacher: (id: string) => Promise<readonly Teacher[]>;
  /** What is known of the servers, where other sessions ask them too. */
  readonly servers?: Servers;
  /** Call logs of earlier runs, read only. */
  readonly earlier?: readonly string[];
  /** Dollars that may be spent at most, what the log says was spent already included. */
  readonly budgetUsd?: number;
  readonly signal: AbortSignal;
  readonly progress?: (progress: CallsProgress) => void;
  /** Takes the finished segments elsewhere, and what may be here only before it does. */
  readonly flush?: () => Promise<void>;
  readonly flushBound?: Partial<FlushBound>;
  /** Called before each call: resolves when this process may send it, or aborts `signal`. As a rule there is nothing to wait for. */
  readonly sure?: () => Promise<void> | undefined;
  readonly note?: (message: string) => void;
  readonly retryPolicy?: Partial<CallRetryPolicy>;
  /** Time that calls in flight have after a stop, until they are cut off. */
  readonly drainMs?: number;
}

/** Calls, dollars and tokens are those of the calls that this session was asked for, but for those asked in advance. */
export interface SessionSummary extends Readonly<Sums> {
  /** found again in a server's store, over all sessions */
  readonly recovered: number;
  /** calls that were sent again before it was known whether they had been answered and billed, over all sessions */
  readonly possibleDoubleSpend: number;
  /** what that may have cost, by estimate; calls without a price are not in it */
  readonly possibleDoubleSpendUsd: number;
  /** dollars of all answers in the run's own log, those of other steps and sessions included */
  readonly spentUsd: number;
}

export interface CallSession {
  /** Items that a step should have in hand at once: enough to keep every teacher busy, few enough to hold in memory. */
  readonly inHand: number;
  /**
   * The answer to a call: from the log, else from its teacher. Two equal calls are one. `prefetch`: for a later step, in whose
   * figures it will be; it is dropped when the session ends first. Throws when the session has to stop: no money, no access
   * or the budget (preflight), teacher out of reach (temporary, and then others can be asked still), disk full (temporary),
   * calls of this kind bring no reply, the user's stop (detached).
   */
  ask(call: Call, options?: { readonly prefetch?: boolean }): Promise<CallOutcome>;
  /** A reply that is in the log. */
  read(key: string): Promise<ChatReply | undefined>;
  /** What the reply to a call took; `usd` is null where there was no price. */
  usage(key: string): CallUsage | undefined;
  /** How many calls are still to come, as far as is known, for the progress; may be said again when more is known. */
  expect(left: number): void;
  summary(): SessionSummary;
  /** Waits for what is in flight; everything that arrived is on disk afterwards. */
  close(): Promise<void>;
}

const PROGRESS_MS = 500;
const DRAIN_MS = 30_000;
const LEAST_IN_HAND = 256;

/** Opens the log of a run and stage, and with it a session that asks what the log does not know. */
export async function openSession(options: SessionOptions): Promise<CallSession> {
  const log = await openCallLog(options.callLog, { earlier: options.earlier ?? [] });
  return new LoggedSession(options, log);
}

class LoggedSession implements CallSession {
  readonly #options: SessionOptions;
  readonly #log: CallLog;
  readonly #shutdown: Shutdown;
  readonly #prefetchStop: PrefetchStop;
  readonly #counts: Counts;
  readonly #kinds: CallKinds;
  readonly #flusher: Flusher;
  readonly #context: SessionContext;
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>();
  readonly #opened = new Map<string, Dispatcher>();
  readonly #asking = new Map<string, Promise<CallOutcome>>();
  readonly #doubts: Doubts;
  readonly #told = new Set<string>();
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions, log: CallLog) {
    this.#options = options;
    this.#log = log;
    this.#shutdown = new Shutdown(options.signal, options.drainMs ?? DRAIN_MS);
    this.#prefetchStop = new PrefetchStop(this.#shutdown);
    this.#counts = new Counts(log, performance.now());
    this.#doubts = new Doubts(log.totals);
    const { signal } = this.#shutdown;
    this.#kinds = new CallKinds(options.step, signal);
    const bound = { ...FLUSH_BOUND, ...options.flushBound };
    this.#flusher = new Flusher({ log, flush: options.flush, bound, signal, note: this.#note });
    if (log.totals.done > 0) this.#flusher.catchUp();
    this.#context = this.#makeContext();
    this.#timer = options.progress && setInterval(() => this.#asking.size > 0 && this.#show(), PROGRESS_MS).unref();
    if (log.totals.damaged > 0) this.#note(`${log.totals.damaged} damaged lines of the call log were passed over`);
  }

  get inHand(): number {
    return [...this.#opened.values()].reduce((sum, dispatcher) => sum + dispatcher.inHand, LEAST_IN_HAND);
  }

  ask(call: Call, { prefetch = false }: { readonly prefetch?: boolean } = {}): Promise<CallOutcome> {
    const stop = prefetch ? this.#prefetchStop : this.#shutdown;
    if (prefetch && stop.signal.aborted) return Promise.reject(stop.reason());
    const outcome = this.#share(call, stop).then((found) => {
      this.#counts.settled(found, prefetch, performance.now());
      return found;
    });
    // The session throws the reason of its stop to every caller, so that a caller need not await a prefetched call.
    if (prefetch) outcome.catch((error) => this.#tellOnce(error));
    return outcome;
  }

  async read(key: string): Promise<ChatReply | undefined> {
    const reply = await this.#log.reply(key);
    if (reply !== undefined) this.#counts.used(key);
    return reply;
  }

  usage(key: string): CallUsage | undefined {
    return this.#log.usage(key);
  }

  expect(left: number): void {
    this.#counts.expect(left);
  }

  summary(): SessionSummary {
    return {
      ...this.#counts.sums,
      recovered: this.#log.totals.recovered,
      possibleDoubleSpend: this.#doubts.count,
      possibleDoubleSpendUsd: this.#doubts.usd,
      spentUsd: this.#log.totals.costUsd,
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#prefetchStop.end();
    this.#kinds.wake();
    for (const dispatcher of this.#opened.values()) dispatcher.heedStops();
    await Promise.allSettled(this.#asking.values());
    await Promise.all([...this.#opened.values()].map((dispatcher) => dispatcher.close()));
    this.#show();
    await this.#flusher.close();
    await this.#log.close();
    this.#shutdown.close();
  }

  #makeContext(): SessionContext {
    const { callLog, earlier = [], servers, sure, budgetUsd, retryPolicy } = this.#options;
    const { totals } = this.#log;
    const { signal } = this.#shutdown;
    const stopped = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    return {
      log: this.#log,
      shutdown: this.#shutdown,
      note: this.#note,
      append: this.#append,
      servers: servers ?? new Servers(),
      folders: [callLog, ...earlier],
      takeAlong: () => this.#flusher.takeAlong(),
      admit: (usd) => this.#flusher.admit(usd),
      sure: () => {
        const waiting = sure?.();
        return waiting && Promise.race([waiting, stopped]);
      },
      budget: new Budget({ capUsd: budgetUsd, totals, left: () => this.#counts.left }),
      retryPolicy: { ...CALL_RETRY_POLICY, ...retryPolicy },
      queueOf: tokenQueues(),
      doubt: (sent) => this.#doubts.add(sent),
    };
  }

  readonly #note = (message: string): void => this.#options.note?.(message);

  readonly #append = async (record: LogRecord): Promise<void> => {
    const { callLog } = this.#options;
    try {
      await this.#log.append(record);
    } catch (error) {
      throw this.#shutdown.stop(logUnwritable(callLog, error));
    }
    this.#flusher.touch();
    // The reserve has room for the calls in flight and for no others.
    if (this.#log.full) this.#shutdown.stop(logUnwritable(callLog, undefined));
  };

  #dispatcherOf(id: string): Promise<Dispatcher> {
    const found = this.#dispatchers.get(id) ?? this.#openDispatcher(id);
    this.#dispatchers.set(id, found);
    return found;
  }

  async #openDispatcher(id: string): Promise<Dispatcher> {
    const servers = await this.#options.teacher(id);
    for (const server of servers) this.#context.budget.accept(server);
    const [first] = servers;
    const dispatcher =
      first?.batch === undefined
        ? new LiveDispatcher(this.#context, servers)
        : new BatchDispatcher(this.#context, { ...first, batch: first.batch });
    this.#opened.set(id, dispatcher);
    return dispatcher;
  }

  /** An equal call that is on its way will do. */
  #share(call: Call, stop: Stop): Promise<CallOutcome> {
    const key = callKey(call);
    const same = this.#asking.get(key);
    if (same !== undefined) return same.then((outcome) => ({ ...outcome, replayed: true }));
    const outcome = this.#answer(call, key, stop).finally(() => this.#asking.delete(key));
    this.#asking.set(key, outcome);
    return outcome;
  }

  /** Only a reply is final: a server may now accept a call that it refused before it was mended. */
  async #answer(call: Call, key: string, stop: Stop): Promise<CallOutcome> {
    const reply = this.#log.known(key)?.state === 'done' ? await this.#log.reply(key) : undefined;
    return reply === undefined ? this.#askTeacher(call, key, stop) : { ok: true, key, reply, replayed: true };
  }

  /** In steps that share no scope: while a batch is worked on, its dispatcher alone has the call, on the disk. */
  #askTeacher(call: Call, key: string, stop: Stop): Promise<CallOutcome> {
    stop.check();
    const kind = this.#kinds.of(call);
    kind.check();
    return this.#dispatcherOf(call.teacher)
      .then((dispatcher) =>
        dispatcher.isLive
          ? kind.send(stop, () => dispatcher.settle(call, key, stop))
          : dispatcher.settle(call, key, stop).then(kind.report),
      )
      .catch(stop === this.#prefetchStop ? this.#prefetchFailed : this.#failed);
  }

  /** Another server may answer while one is away, so the caller decides what that means. Any other failure stops the session. */
  readonly #failed = (error: unknown): never => {
    throw error instanceof ServerAway || error instanceof NotNeeded ? error : this.#shutdown.stop(error);
  };

  /** Calls that are refused in advance are the later step's to end by. */
  readonly #prefetchFailed = (error: unknown): never => {
    if (error instanceof GaveUp) throw error;
    return this.#failed(error);
  };

  /** Tells the user of calls that are made in advance, which no other line counts. */
  #tellOnce(error: unknown): void {
    if (!(error instanceof ServerAway || error instanceof GaveUp) || this.#told.has(error.message)) return;
    this.#told.add(error.message);
    this.#note(`${error.message}; it is asked again when its step comes`);
  }

  #show(): void {
    const { sums, total } = this.#counts;
    this.#options.progress?.({
      done: sums.asked + sums.replayed,
      total,
      failed: sums.failed,
      replayed: sums.replayed,
      ahead: sums.prefetch,
      costUsd: sums.costUsd,
      spentUsd: this.#log.totals.costUsd,
      capUsd: this.#options.budgetUsd ?? null,
      etaSeconds: this.#counts.etaSeconds(performance.now()),
      teachers: [...this.#opened].map(([id, dispatcher]) => ({ id, ...dispatcher.state() })),
    });
  }
}
