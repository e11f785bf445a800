import PQueue from 'p-queue';
import type { CallsProgress } from '../model/event.ts';
import type { ChatReply, Teacher } from '../teachers/teacher.ts';
import { type Call, type CallOutcome, callKey } from './call.ts';
import { openCallLog } from './call-log.ts';
import { diskFull, makeHalt } from './halt.ts';
import { type Desk, type Floor, PATIENCE, type Patience, settle } from './one-call.ts';

export interface SessionOptions {
  /** folder of the call log */
  readonly journal: string;
  readonly teacher: (id: string) => Promise<readonly Teacher[]>;
  /** Call logs of earlier runs, read only. */
  readonly earlier?: readonly string[];
  /** Dollars that may be spent at most, what the log says was spent already included. */
  readonly budgetUsd?: number;
  readonly signal: AbortSignal;
  readonly progress?: (progress: CallsProgress) => void;
  /** Takes the finished segments elsewhere. */
  readonly flush?: () => Promise<void>;
  readonly note?: (message: string) => void;
  readonly patience?: Partial<Patience>;
  /** Calls in flight have so long to come home after a stop. */
  readonly drainMs?: number;
  readonly flushMs?: number;
}

export interface SessionSummary {
  /** answered by a teacher in this session */
  readonly asked: number;
  readonly replayed: number;
  readonly failed: number;
  /** found again in a server's store, over all sessions */
  readonly recovered: number;
  /** calls of this session that were sent again although nobody knows whether they had been answered and billed */
  readonly possibleDoubleSpend: number;
  /** United States dollars and tokens of all answers in the log, earlier sessions included */
  readonly costUsd: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface CallSession {
  /**
   * The answer to a call: from the log, else from its teacher. Two equal calls are one. Throws when the session has to
   * stop: no money or access (preflight), teacher out of reach (temporary), disk full (temporary), turned away from (detached).
   */
  ask(call: Call): Promise<CallOutcome>;
  /** A reply that is in the log. */
  read(key: string): Promise<ChatReply | undefined>;
  /** How many calls there will be, as far as is known, for the progress. */
  expect(total: number): void;
  summary(): SessionSummary;
  /** Waits for what is in flight; everything that arrived is on disk afterwards. */
  close(): Promise<void>;
}

const PROGRESS_MS = 500;
/** The Hub takes 128 commits an hour and repo; the journal is not alone there. */
const FLUSH_MS = 120_000;
const DRAIN_MS = 30_000;
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export async function openSession(options: SessionOptions): Promise<CallSession> {
  const log = await openCallLog(options.journal, { earlier: options.earlier ?? [] });
  const halt = makeHalt(options.signal, options.drainMs ?? DRAIN_MS);
  const floor: Floor = { log, halt, patience: { ...PATIENCE, ...options.patience }, possibleDoubleSpend: 0 };
  const desks = new Map<string, Promise<{ desk: Desk; queue: PQueue }>>();
  const asking = new Map<string, Promise<CallOutcome>>();
  const counts = { asked: 0, replayed: 0, failed: 0, total: 0 };
  let shownAt = 0;
  let unflushed = false;
  let flushing: Promise<void> = Promise.resolve();
  const timer = setInterval(flush, options.flushMs ?? FLUSH_MS).unref();
  if (log.totals.damaged > 0) options.note?.(`${log.totals.damaged} damaged lines of the call log were passed over`);

  function openDesk(id: string): Promise<{ desk: Desk; queue: PQueue }> {
    const opened =
      desks.get(id) ??
      options
        .teacher(id)
        .then((servers) => servers[0] as Teacher)
        .then((teacher) => ({
          desk: { teacher, quietUntil: 0, answeredAt: 0 },
          queue: new PQueue({ concurrency: teacher.concurrency }),
        }));
    desks.set(id, opened);
    return opened;
  }

  async function askTeacher(call: Call): Promise<CallOutcome> {
    halt.check();
    const { desk, queue } = await openDesk(call.teacher);
    return queue.add(async () => {
      halt.check();
      try {
        return await settle(floor, desk, call);
      } catch (error) {
        const isFull = FULL.has((error as NodeJS.ErrnoException).code ?? '');
        throw halt.stop(isFull ? diskFull(options.journal, error) : error);
      } finally {
        unflushed = true;
        if (log.full) halt.stop(diskFull(options.journal, undefined));
      }
    });
  }

  async function answer(call: Call, key: string): Promise<CallOutcome> {
    const failed = await log.failure(key);
    if (failed !== undefined) {
      const { message, status } = failed;
      return { ok: false, key, failure: { kind: 'final', message, status: status ?? undefined }, replayed: true };
    }
    const reply = await log.reply(key);
    return reply === undefined ? askTeacher(call) : { ok: true, key, reply, replayed: true };
  }

  function show(force: boolean): void {
    const now = Date.now();
    if (!force && now - shownAt < PROGRESS_MS) return;
    shownAt = now;
    const done = counts.asked + counts.replayed;
    options.progress?.({
      done,
      total: Math.max(counts.total, done + counts.failed),
      failed: counts.failed,
      replayed: counts.replayed,
      costUsd: log.totals.costUsd,
      spentUsd: log.totals.costUsd,
      capUsd: options.budgetUsd ?? null,
      etaSeconds: null,
      teachers: [],
    });
  }

  /** Never fails the session: what is not flushed now is flushed later, and the log is on this disk. */
  function flush(): void {
    if (!unflushed || options.flush === undefined) return;
    unflushed = false;
    flushing = flushing
      .then(() => log.roll())
      .then(options.flush)
      .catch((error: unknown) => {
        unflushed = true;
        options.note?.(
          `The call log could not be copied to the Hub yet: ${error instanceof Error ? error.message : String(error)}`,
        );
      });
  }

  return {
    ask(call) {
      const key = callKey(call);
      const same = asking.get(key);
      if (same !== undefined) return same;
      const outcome = answer(call, key)
        .then((found) => {
          counts[found.ok ? (found.replayed ? 'replayed' : 'asked') : 'failed'] += 1;
          show(false);
          return found;
        })
        .finally(() => asking.delete(key));
      asking.set(key, outcome);
      return outcome;
    },
    read: (key) => log.reply(key),
    expect(total) {
      counts.total = total;
    },
    summary: () => {
      const { recovered, costUsd, promptTokens, completionTokens } = log.totals;
      return {
        asked: counts.asked,
        replayed: counts.replayed,
        failed: counts.failed,
        recovered,
        possibleDoubleSpend: floor.possibleDoubleSpend,
        costUsd,
        promptTokens,
        completionTokens,
      };
    },
    async close() {
      clearInterval(timer);
      await Promise.allSettled(asking.values());
      show(true);
      flush();
      await flushing;
      await log.close();
      halt.close();
    },
  };
}
