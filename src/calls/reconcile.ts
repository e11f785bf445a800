import PQueue from 'p-queue';
import type { ChatAnswer, ChatFailure, ChatReply, Teacher } from '../teachers/teacher.ts';
import type { SessionContext } from './dispatcher.ts';
import type { Outage } from './outage.ts';
import { type Stop, unanswered } from './shutdown.ts';
import { backoffMs, pause } from './wait.ts';

/** What the log says of a call that the server keeps no answer to, although it keeps answers. */
export const NOT_STORED = { kind: 'again', message: 'not in the store of the server' } as const;

/** Looks at once, after a crash with many calls in flight. */
const AT_ONCE = 16;
const LONGEST_LOOK_MS = 10_000;

/**
 * Looks for answers to calls that may have been answered. `not stored`: the server keeps answers and has none to this call;
 * `undefined`: it is not known, since the server keeps none, or cannot be asked and the call has elsewhere to go. With nowhere to go it throws, once the server has been away for long enough.
 */
export type Reconcile = (teacher: Teacher, lost: LostCall) => Promise<ChatReply | 'not stored' | undefined>;

export interface LostCall {
  readonly model: string;
  readonly key: string;
  /** milliseconds since 1970, of a clock that may have been another machine's */
  readonly sentAt: number;
  readonly stop: Stop;
  /** Counts for how long the server whose store is searched has not answered. */
  readonly outage?: Outage;
  /** Whether another server takes the call. */
  readonly hasElsewhere?: () => boolean;
}

/** No two clocks differ by more. */
const CLOCKS_DIFFER_MS = 86_400_000;

/**
 * Looks into a server's store until the answer cannot turn up any more: a server stores it when it is finished, whether or
 * not its caller is still there. Unless the call was sent days ago, by whatever clock, the server has its whole time from the
 * first look on.
 */
export function reconciler(context: LookUpContext): Reconcile {
  const looks = new PQueue({ concurrency: AT_ONCE });
  return async (teacher, lost) => {
    if (teacher.settleMs === 0) return undefined;
    return lookUntilSettled(context, teacher, lost, (look) => looks.add(look));
  };
}

type LookUpContext = Pick<SessionContext, 'shutdown' | 'retryPolicy'>;

async function lookUntilSettled(
  context: LookUpContext,
  teacher: Teacher,
  lost: LostCall,
  inTurn: (look: () => Promise<ChatAnswer | undefined>) => Promise<ChatAnswer | undefined>,
): Promise<ChatReply | 'not stored' | undefined> {
  const { settleMs } = teacher;
  const { lookMs } = context.retryPolicy;
  const isOld = Date.now() - lost.sentAt > CLOCKS_DIFFER_MS + settleMs;
  const until = performance.now() + (isOld ? 0 : settleMs);
  const fails: Fails = { count: 0, since: undefined };
  for (let wait = lookMs; ; wait = Math.min(wait * 1.5, Math.max(LONGEST_LOOK_MS, lookMs))) {
    const lookedAt = performance.now();
    lost.stop.check();
    const found = await inTurn(() => teacher.recover(lost.key, lost.model, context.shutdown.hard));
    noteOutage(context, teacher, lost, { found, lookedAt });
    if (found?.ok === true) return found.reply;
    const fault = faultOf(found);
    if (fault !== undefined) {
      if (await goesElsewhere(context, { teacher, lost }, fault, fails)) return undefined;
    } else if (lookedAt >= until) return found === undefined ? 'not stored' : undefined;
    else await pause(Math.min(wait, settleMs), lost.stop.signal);
  }
}

/** Why the server could not be asked. One that is `final` or `refused` says that it keeps no answers. */
function faultOf(found: ChatAnswer | undefined): ChatFailure | undefined {
  if (found === undefined || found.ok) return undefined;
  return found.failure.kind === 'final' || found.failure.kind === 'refused' ? undefined : found.failure;
}

function noteOutage(
  { retryPolicy }: LookUpContext,
  { awayMs }: Teacher,
  { outage }: LostCall,
  { found, lookedAt }: { readonly found: ChatAnswer | undefined; readonly lookedAt: number },
): void {
  if (found === undefined || found.ok || found.failure.kind !== 'again') outage?.answered();
  else outage?.failed(found.failure, lookedAt, retryPolicy, awayMs);
}

/** Looks in a row that failed, and when the first of them did. */
interface Fails {
  count: number;
  since: number | undefined;
}

/** Waits before the next look, unless another server takes the call; throws when this one has been away for long enough. */
async function goesElsewhere(
  { retryPolicy }: Pick<SessionContext, 'retryPolicy'>,
  { teacher, lost }: { readonly teacher: Teacher; readonly lost: LostCall },
  failure: ChatFailure,
  fails: Fails,
): Promise<boolean> {
  const { attempts, awayMs, baseMs, breakMostMs } = retryPolicy;
  fails.count += 1;
  fails.since ??= performance.now();
  const isOver = failure.kind === 'stop' || failure.kind === 'quota';
  if ((isOver || fails.count >= attempts) && lost.hasElsewhere?.() === true) return true;
  if (isOver || performance.now() - fails.since >= (teacher.awayMs ?? awayMs)) throw unanswered([{ teacher, failure }]);
  await pause(failure.afterMs ?? backoffMs(fails.count, baseMs, breakMostMs, Math.random()), lost.stop.signal);
  return false;
}
