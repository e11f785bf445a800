import type { BatchApi, BatchSaid, ChatFailure, Price, Teacher } from '../teachers/teacher.ts';
import type { Claim } from './budget.ts';
import type { CallOutcome } from './call.ts';
import type { SessionContext } from './dispatcher.ts';
import type { CallSize, Estimator } from './estimate.ts';
import type { Outage } from './outage.ts';
import { type Stop, unanswered } from './shutdown.ts';
import type { Span } from './spill-files.ts';
import { backoffMs, pause } from './wait.ts';

/** A call whose answer a caller waits for. */
export interface PendingCall {
  readonly key: string;
  readonly model: string;
  readonly size: CallSize;
  readonly stop: Stop;
  /** where its body lies */
  readonly span: Span;
  /** Times that it came back without an answer, */
  tries: number;
  /** and those among them at which it may have been billed. */
  unread: number;
  claim: Claim | undefined;
  /** dollars that it may cost at most */
  est: number | null;
  readonly resolve: (outcome: CallOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** A call in a batch. */
export interface BatchedCall {
  readonly key: string;
  readonly attempt: number;
  readonly est: number | null;
  /** The caller that waits for it; after a restart `undefined`, until the session asks for it again. */
  waiting: PendingCall | undefined;
  answered: boolean;
  /** What the server said in place of an answer. */
  failure: ChatFailure | undefined;
}

/** Tells the caller of a call what came of it; its money is free again. */
export function give(waiting: PendingCall | undefined, tell: (waiting: PendingCall) => void): void {
  if (waiting === undefined) return;
  waiting.claim?.settled();
  waiting.claim = undefined;
  tell(waiting);
}

/** It has no answer that can be read, and the server does not say that it was not billed. */
export const mayBeBilled = ({ answered, failure }: BatchedCall) => !answered && failure?.status === undefined;

/** A batch on its way. */
export interface Batch {
  /** names it in the log, see `RequestFile` */
  sha: string;
  /** name of its file */
  file: string;
  /** by custom id, in the order of the file */
  members: ReadonlyMap<string, BatchedCall>;
  /** the server's name for its file, once it has that */
  upload: string | undefined;
  /** the server's name for it */
  id: string | undefined;
  /** Resolved when a caller waits for one of its calls. */
  readonly wanted: PromiseWithResolvers<void>;
  /** input tokens, by estimate */
  tokens: number;
  /** It was begun by a process that is gone. */
  readonly isAdopted: boolean;
  /** It was looked for at the server and found there, so it was not paid twice. */
  isRecovered: boolean;
}

export function newBatch(members: ReadonlyMap<string, BatchedCall>, tokens: number): Batch {
  const wanted = Promise.withResolvers<void>();
  return { sha: '', file: '', members, upload: undefined, id: undefined, wanted, tokens, isAdopted: false, isRecovered: false };
}

/** What all batches of a dispatcher share. */
export interface BatchContext extends SessionContext {
  readonly teacher: Teacher;
  readonly api: BatchApi;
  /** of a call in a batch */
  readonly price: Price | undefined;
  readonly estimates: Estimator;
  /** Aborted when no caller waits any more. */
  readonly over: AbortSignal;
  readonly outage: Outage;
  /** Words of the server for the state of a batch that zephyr does not know, once the user was told of them. */
  readonly oddWords: Set<string>;
  /** Counts an answer, which took this many tokens. */
  readonly answered: (tokens: number) => void;
}

/**
 * Sends a request until the server answers it. A failure that `mayFail` names is handed back; any other that stays, or a
 * server that stays away, is thrown.
 */
export async function insist<T>(
  context: BatchContext,
  send: () => Promise<BatchSaid<T>>,
  mayFail: (failure: ChatFailure) => boolean = () => false,
): Promise<BatchSaid<T>> {
  const { shutdown, outage } = context;
  for (let tries = 1; ; tries += 1) {
    const sentAt = performance.now();
    const said = await send();
    if (said.ok || said.failure.kind !== 'again') outage.answered();
    if (said.ok || mayFail(said.failure)) return said;
    await bear(context, said.failure, sentAt, tries);
    shutdown.check();
  }
}

/** Waits before a request that failed is sent again; throws where that is of no use, or where no caller waits any more. */
export async function bear(context: BatchContext, failure: ChatFailure, sentAt: number, tries: number): Promise<void> {
  const { teacher, shutdown, retryPolicy, outage, over } = context;
  if (failure.kind !== 'again') throw shutdown.stop(unanswered([{ teacher, failure: forGood(failure) }]));
  if (outage.failed(failure, sentAt, retryPolicy, teacher.awayMs)) throw unanswered([{ teacher, failure }]);
  over.throwIfAborted();
  const { baseMs, breakMostMs } = retryPolicy;
  await pause(failure.afterMs ?? backoffMs(tries, baseMs, breakMostMs, Math.random()), AbortSignal.any([shutdown.signal, over]));
  over.throwIfAborted();
}

/** A request about a batch that is refused for good will be refused for the next batch too. */
export function forGood(failure: ChatFailure): ChatFailure {
  return failure.kind === 'final' || failure.kind === 'refused' ? { ...failure, kind: 'stop' } : failure;
}

export const isGone = ({ status }: ChatFailure) => status === 404 || status === 405;
