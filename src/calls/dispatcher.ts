import type { TeacherProgress } from '../model/event.ts';
import type { TokenQueue } from './batch-queue.ts';
import type { Budget } from './budget.ts';
import type { Call, CallOutcome } from './call.ts';
import type { CallLog } from './call-log.ts';
import type { CallRetryPolicy } from './call-retry-policy.ts';
import type { Sent } from './flusher.ts';
import type { LogRecord } from './record.ts';
import type { Servers } from './servers.ts';
import type { Shutdown, Stop } from './shutdown.ts';

/** What the dispatchers of a session share. */
export interface SessionContext {
  readonly log: CallLog;
  /** where it lies: the run's own folder, then those of earlier runs */
  readonly folders: readonly [string, ...string[]];
  /** Writes to the log; a log that cannot be written stops the session. */
  readonly append: (record: LogRecord) => Promise<void>;
  /** Resolves when the log so far is where another machine finds it, at once where logs stay here, or when the session stops. */
  readonly takeAlong: () => Promise<void>;
  /** A call may be sent once this resolves: not too much is on this disk only. The session may have been stopped meanwhile. */
  readonly admit: (usd: number) => Promise<Sent>;
  /** A promise to wait for right before a call is sent, when another process may have taken over the run. */
  readonly sure: () => Promise<void> | undefined;
  readonly shutdown: Shutdown;
  readonly servers: Servers;
  readonly budget: Budget;
  readonly retryPolicy: CallRetryPolicy;
  /** The queue for batches of the server and model that teachers of this name are; `limit`: what the recipe says of it. */
  readonly queueOf: (name: string, limit: number | undefined) => TokenQueue;
  /**
   * Counts an attempt that may have been answered and billed, for `est` dollars, before its call is sent again. However often
   * it is told, it counts once: two dispatchers may have asked after one batch.
   */
  readonly doubt: (sent: { readonly key: string; readonly attempt: number; readonly est: number | null }) => void;
  readonly note: (message: string) => void;
}

/**
 * Where the calls to one teacher are sent from. It admits, sends, waits and tries again; each reply is in the log before
 * it is handed on. Live calls and batches are two dispatchers behind this one interface.
 */
export interface Dispatcher {
  /** Calls are sent one by one: a refusal comes at once, and not with that of a whole file. */
  readonly isLive: boolean;
  /** Calls that a step should have in hand at once, so that this dispatcher is never idle. */
  readonly inHand: number;
  /**
   * Settles a call that is not in the log. Throws what stopped the session; `ServerAway` where no server is there to answer
   * it, which is for the caller to judge; and what `stop` throws, once that is aborted.
   */
  settle(call: Call, key: string, stop: Stop): Promise<CallOutcome>;
  /** Calls whose `stop` has come leave, where they have not been sent. */
  heedStops(): void;
  state(): Omit<TeacherProgress, 'id'>;
  /** Waits for what is on its way. */
  close(): Promise<void>;
}
