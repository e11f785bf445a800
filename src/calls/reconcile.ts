import PQueue from 'p-queue';
import type { ChatReply, Teacher } from '../teachers/teacher.ts';
import type { SessionContext } from './dispatcher.ts';
import type { Outage } from './outage.ts';
import { type Stop, unanswered } from './shutdown.ts';
import { backoffMs, pause } from './wait.ts';

/** Looks at once, after a crash with many calls in flight. */
const AT_ONCE = 16;
const LONGEST_LOOK_MS = 10_000;

/**
 * Looks for answers to calls of which nobody knows whether they were answered. `not stored`: the server keeps answers and
 * has none to this call; `undefined`: nobody can know, since it keeps none, or cannot be asked and the call has elsewhere to
 * go. With nowhere to go it throws, once the server has been away for long enough.
 */
export type Reconcile = (teacher: Teacher, lost: LostCall) => Promise<ChatReply | 'not stored' | undefined>;

export interface LostCall {
  readonly model: string;
  readonly key: string;
  /** milliseconds since 1970, of a clock that may have been another machine's */
  readonly sentAt: number;
  readonly stop: Stop;
  /** Where it is kept how long the server that is looked into has answered nothing. */
  readonly outage?: Outage;
  /** Whether another server takes the call. */
  readonly hasElsewhere?: () => boolean;
}

/** No two clocks differ by more. */
const CLOCKS_DIFFER_MS = 86_400_000;

/**
 * Looks into a server's store until the answer cannot turn up any more: a server stores it when it is finished, whoever
 * still listens. Unless the call was sent days ago, by whatever clock, the server has its whole time from the first look on.
 */
export function reconciler({ shutdown, retryPolicy }: Pick<SessionContext, 'shutdown' | 'retryPolicy'>): Reconcile {
  const looks = new PQueue({ concurrency: AT_ONCE });

  return async (teacher, { model, key, sentAt, stop, outage, hasElsewhere = () => false }) => {
    const { settleMs } = teacher;
    if (settleMs === 0) return undefined;
    const isOld = Date.now() - sentAt > CLOCKS_DIFFER_MS + settleMs;
    const until = performance.now() + (isOld ? 0 : settleMs);
    let fails = 0;
    let failingSince: number | undefined;
    for (let wait = retryPolicy.lookMs; ; wait = Math.min(wait * 1.5, Math.max(LONGEST_LOOK_MS, retryPolicy.lookMs))) {
      const isLast = performance.now() >= until;
      stop.check();
      const lookedAt = performance.now();
      const found = await looks.add(() => teacher.recover(key, model, shutdown.hard));
      if (found === undefined || found.ok || found.failure.kind !== 'again') outage?.answered();
      else outage?.failed(found.failure, lookedAt, retryPolicy, teacher.awayMs);
      if (found?.ok === true) return found.reply;
      if (found !== undefined && found.failure.kind !== 'final' && found.failure.kind !== 'refused') {
        fails += 1;
        failingSince ??= performance.now();
        const { failure } = found;
        const isOver = failure.kind === 'stop' || failure.kind === 'quota';
        if ((isOver || fails >= retryPolicy.attempts) && hasElsewhere()) return undefined;
        if (isOver || performance.now() - failingSince >= (teacher.awayMs ?? retryPolicy.awayMs))
          throw unanswered([{ teacher, failure }]);
        await pause(failure.afterMs ?? backoffMs(fails, retryPolicy.baseMs, retryPolicy.breakMostMs, Math.random()), stop.signal);
      } else if (isLast) return found === undefined ? 'not stored' : undefined;
      else await pause(Math.min(wait, settleMs), stop.signal);
    }
  };
}
