import PQueue from 'p-queue';
import type { ChatReply, Teacher } from '../teachers/teacher.ts';
import type { Floor } from './desk.ts';
import { unanswered } from './halt.ts';
import { backoffMs, pause } from './wait.ts';

/** Looks at once, after a crash with many calls in flight. */
const AT_ONCE = 16;
const LONGEST_LOOK_MS = 10_000;

/**
 * Looks for answers to calls of which nobody knows whether they were answered. `not stored`: the server keeps answers and
 * has none to this call; `undefined`: nobody can know, since it keeps none, or cannot be asked and the call has elsewhere to
 * go. With nowhere to go the session halts.
 */
export type Reconcile = (
  teacher: Teacher,
  model: string,
  key: string,
  sentAt: number,
  hasElsewhere?: () => boolean,
) => Promise<ChatReply | 'not stored' | undefined>;

/**
 * Looks into a server's store until the answer cannot turn up any more: a server stores it when it is finished, whoever
 * still listens. `sentAt`: milliseconds since 1970, of a clock that may have been another machine's.
 */
export function reconciler({ halt, patience }: Pick<Floor, 'halt' | 'patience'>): Reconcile {
  const looks = new PQueue({ concurrency: AT_ONCE });

  return async (teacher, model, key, sentAt, hasElsewhere = () => false) => {
    const { settleMs } = teacher;
    if (settleMs === 0) return undefined;
    const until = performance.now() + Math.min(settleMs, sentAt + settleMs - Date.now());
    let fails = 0;
    for (let wait = patience.lookMs; ; wait = Math.min(wait * 1.5, Math.max(LONGEST_LOOK_MS, patience.lookMs))) {
      const isLast = performance.now() >= until;
      halt.check();
      const found = await looks.add(() => teacher.recover(key, model, halt.hard));
      if (found?.ok === true) return found.reply;
      if (found !== undefined && found.failure.kind !== 'final') {
        fails += 1;
        const { failure } = found;
        if (failure.kind === 'stop' || failure.kind === 'quota' || fails >= patience.attempts) {
          if (hasElsewhere()) return undefined;
          throw halt.stop(unanswered([{ teacher, failure }]));
        }
        await pause(failure.afterMs ?? backoffMs(fails, patience.baseMs, patience.capMs, Math.random()), halt.signal);
      } else if (isLast) return found === undefined ? 'not stored' : undefined;
      else await pause(Math.min(wait, settleMs), halt.signal);
    }
  };
}
