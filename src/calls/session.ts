import type { CallsProgress } from '../model/event.ts';
import type { ChatReply, Teacher } from '../teachers/teacher.ts';
import { openBatchDispatcher } from './batch-dispatcher.ts';
import { tokenQueues } from './batch-queue.ts';
import { makeBudget } from './budget.ts';
import { type Call, type CallOutcome, callKey } from './call.ts';
import { type CallKind, callKinds } from './call-kind.ts';
import { openCallLog } from './call-log.ts';
import { makeCounts } from './counts.ts';
import { CALL_RETRY_POLICY, type CallRetryPolicy, type Dispatcher, type SessionContext } from './dispatcher.ts';
import { FLUSH_BOUND, type FlushBound, Flusher } from './flusher.ts';
import { GaveUp } from './gave-up.ts';
import type { CallUsage } from './known-calls.ts';
import { openLiveDispatcher } from './live-dispatcher.ts';
import { openServers, type Servers } from './servers.ts';
import { logUnwritable, NotNeeded, openShutdown, ServerAway, type Stop, stopBefore } from './shutdown.ts';

export interface SessionOptions {
  /** What the calls are for, `aif/judge`, for messages. */
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
  /** CallPurpose before each call: resolves, or aborts `signal`, when it is known who may send it; nothing to wait for as a rule. */
  readonly sure?: () => Promise<void> | undefined;
  readonly note?: (message: string) => void;
  readonly retryPolicy?: Partial<CallRetryPolicy>;
  /** Calls in flight have so long to come home after a stop. */
  readonly drainMs?: number;
}

/** Calls, dollars and tokens are those of the calls that this session was asked for, but for those asked prefetch. */
export interface SessionSummary {
  /** answered by a teacher in this session */
  readonly asked: number;
  readonly replayed: number;
  readonly failed: number;
  /** asked in advance for a later step */
  readonly prefetch: number;
  /** found again in a server's store, over all sessions */
  readonly recovered: number;
  /** calls that were sent again although nobody knows whether they had been answered and billed, over all sessions */
  readonly possibleDoubleSpend: number;
  /** what that may have cost, by estimate; calls without a price are not in it */
  readonly possibleDoubleSpendUsd: number;
  /** United States dollars, whoever paid them when */
  readonly costUsd: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
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
   * calls of this kind bring no reply, turned away from (detached).
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

export async function openSession(options: SessionOptions): Promise<CallSession> {
  const note = options.note ?? (() => undefined);
  const log = await openCallLog(options.callLog, { earlier: options.earlier ?? [] });
  const shutdown = openShutdown(options.signal, options.drainMs ?? DRAIN_MS);
  const prefetchStop = stopBefore(shutdown);
  const stopped = new Promise<void>((resolve) => shutdown.signal.addEventListener('abort', () => resolve(), { once: true }));
  const counts = makeCounts(log, performance.now());
  // What earlier sessions of the run left in doubt is in its log.
  const doubts = { count: log.totals.lost, usd: log.totals.lostUsd };
  const doubted = new Set<string>();
  const told = new Set<string>();
  const kinds = callKinds(options.step, shutdown.signal);
  const bound = { ...FLUSH_BOUND, ...options.flushBound };
  const flusher = new Flusher({ log, flush: options.flush, bound, signal: shutdown.signal, note });
  if (log.totals.done > 0) flusher.catchUp();
  const context: SessionContext = {
    log,
    shutdown,
    note,
    append,
    servers: options.servers ?? openServers(),
    folders: [options.callLog, ...(options.earlier ?? [])],
    takeAlong: () => flusher.takeAlong(),
    admit: (usd) => flusher.admit(usd),
    sure: () => {
      const waiting = options.sure?.();
      return waiting && Promise.race([waiting, stopped]);
    },
    budget: makeBudget({ capUsd: options.budgetUsd, totals: log.totals, left: counts.left }),
    retryPolicy: { ...CALL_RETRY_POLICY, ...options.retryPolicy },
    queueOf: tokenQueues(),
    doubt({ key, attempt, est }) {
      const name = `${key} ${attempt}`;
      if (doubted.has(name)) return;
      doubted.add(name);
      doubts.count += 1;
      doubts.usd += est ?? 0;
    },
  };
  const dispatchers = new Map<string, Promise<Dispatcher>>();
  const opened = new Map<string, Dispatcher>();
  const asking = new Map<string, Promise<CallOutcome>>();
  const timer = options.progress && setInterval(() => asking.size > 0 && show(), PROGRESS_MS).unref();
  if (log.totals.damaged > 0) note(`${log.totals.damaged} damaged lines of the call log were passed over`);

  async function append(record: Parameters<typeof log.append>[0]): Promise<void> {
    try {
      await log.append(record);
    } catch (error) {
      throw shutdown.stop(logUnwritable(options.callLog, error));
    }
    flusher.touch();
    // What was in flight has room in the reserve, nothing else.
    if (log.full) shutdown.stop(logUnwritable(options.callLog, undefined));
  }

  function dispatcherOf(id: string): Promise<Dispatcher> {
    const found = dispatchers.get(id) ?? openDispatcher(id);
    dispatchers.set(id, found);
    return found;
  }

  async function openDispatcher(id: string): Promise<Dispatcher> {
    const servers = await options.teacher(id);
    for (const server of servers) context.budget.accept(server);
    const [first] = servers;
    const dispatcher =
      first?.batch === undefined
        ? openLiveDispatcher(context, servers)
        : openBatchDispatcher(context, { ...first, batch: first.batch });
    opened.set(id, dispatcher);
    return dispatcher;
  }

  /** In steps that share no scope: while a batch is worked on, nothing but its dispatcher, on the disk, has the call. */
  function askTeacher(call: Call, key: string, stop: Stop): Promise<CallOutcome> {
    stop.check();
    const kind = kinds.of(call);
    kind.check();
    return dispatcherOf(call.teacher)
      .then((dispatcher) =>
        dispatcher.isLive ? settleLive(dispatcher, kind, call, key, stop) : dispatcher.settle(call, key, stop).then(kind.heard),
      )
      .catch(halted(stop === prefetchStop));
  }

  async function settleLive(dispatcher: Dispatcher, kind: CallKind, call: Call, key: string, stop: Stop): Promise<CallOutcome> {
    await kind.enter(stop);
    try {
      return kind.heard(await dispatcher.settle(call, key, stop));
    } finally {
      kind.leave();
    }
  }

  /**
   * Where a server is away others may be there: whoever asks for the answer judges what that means. Calls that are refused in
   * advance are the later step's to end by.
   */
  function halted(prefetch: boolean): (error: unknown) => never {
    return (error) => {
      const isOthers = error instanceof ServerAway || error instanceof NotNeeded || (prefetch && error instanceof GaveUp);
      throw isOthers ? error : shutdown.stop(error);
    };
  }

  /** Only a reply is an answer for good: what was refused before may be taken now that the server was mended. */
  async function answer(call: Call, key: string, stop: Stop): Promise<CallOutcome> {
    const reply = log.known(key)?.state === 'done' ? await log.reply(key) : undefined;
    return reply === undefined ? askTeacher(call, key, stop) : { ok: true, key, reply, replayed: true };
  }

  /** An equal call that is on its way will do. */
  function share(call: Call, stop: Stop): Promise<CallOutcome> {
    const key = callKey(call);
    const same = asking.get(key);
    if (same !== undefined) return same.then((outcome) => ({ ...outcome, replayed: true }));
    const outcome = answer(call, key, stop).finally(() => asking.delete(key));
    asking.set(key, outcome);
    return outcome;
  }

  /** Of calls that are made in advance the user would hear nothing otherwise. */
  function tellOnce(error: unknown): void {
    if (!(error instanceof ServerAway || error instanceof GaveUp) || told.has(error.message)) return;
    told.add(error.message);
    note(`${error.message}; it is asked again when its step comes`);
  }

  function show(): void {
    options.progress?.({
      done: counts.sums.asked + counts.sums.replayed,
      total: counts.total,
      failed: counts.sums.failed,
      replayed: counts.sums.replayed,
      ahead: counts.sums.prefetch,
      costUsd: counts.sums.costUsd,
      spentUsd: log.totals.costUsd,
      capUsd: options.budgetUsd ?? null,
      etaSeconds: counts.etaSeconds(performance.now()),
      teachers: [...opened].map(([id, dispatcher]) => ({ id, ...dispatcher.state() })),
    });
  }

  return {
    get inHand() {
      return [...opened.values()].reduce((sum, dispatcher) => sum + dispatcher.inHand, LEAST_IN_HAND);
    },
    ask(call, { prefetch = false } = {}) {
      if (prefetch && prefetchStop.signal.aborted) return Promise.reject(prefetchStop.reason());
      const outcome = share(call, prefetch ? prefetchStop : shutdown).then((found) => {
        counts.settled(found, prefetch, performance.now());
        return found;
      });
      // What stops the session is thrown to all: nobody need wait for a call that is asked prefetch.
      if (prefetch) outcome.catch(tellOnce);
      return outcome;
    },
    async read(key) {
      const reply = await log.reply(key);
      if (reply !== undefined) counts.used(key);
      return reply;
    },
    usage: (key) => log.usage(key),
    expect: counts.expect,
    summary: () => ({
      ...counts.sums,
      recovered: log.totals.recovered,
      possibleDoubleSpend: doubts.count,
      possibleDoubleSpendUsd: doubts.usd,
      spentUsd: log.totals.costUsd,
    }),
    async close() {
      clearInterval(timer);
      prefetchStop.end();
      kinds.wake();
      for (const dispatcher of opened.values()) dispatcher.heedStops();
      await Promise.allSettled(asking.values());
      await Promise.all([...opened.values()].map((dispatcher) => dispatcher.close()));
      show();
      await flusher.close();
      await log.close();
      shutdown.close();
    },
  };
}
