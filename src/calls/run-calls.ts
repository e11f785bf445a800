import type { Call, CallOutcome } from './call.ts';
import { type CallSession, openSession, type SessionOptions } from './session.ts';

/** Opens a session for `work` and closes it whatever happens; the log then holds every answer that arrived. */
export async function withSession<T>(options: SessionOptions, work: (session: CallSession) => Promise<T>): Promise<T> {
  const session = await openSession(options);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** Asks all calls, however many, and hands each outcome over as it comes. */
export async function runCalls(
  session: CallSession,
  calls: Iterable<Call> | AsyncIterable<Call>,
  each: (call: Call, outcome: CallOutcome) => void | Promise<void> = () => {},
): Promise<void> {
  await forEachAtOnce(
    calls,
    () => session.inHand,
    async (call) => {
      await each(call, await session.ask(call));
    },
  );
}

/**
 * Works through `items` with at most `limit` of them in hand, taken only as fast as they are worked off; a limit that is a
 * function may change on the way. After the first error, be it of the items themselves, no further item is taken; it is
 * thrown when those in hand have ended.
 */
export async function forEachAtOnce<T>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number | (() => number),
  work: (item: T) => Promise<void>,
): Promise<void> {
  const most = typeof limit === 'number' ? () => limit : limit;
  const errors: unknown[] = [];
  let inHand = 0;
  let wake: (() => void) | undefined;

  async function workOn(item: T): Promise<void> {
    try {
      await work(item);
    } catch (error) {
      errors.push(error);
    } finally {
      inHand -= 1;
      wake?.();
    }
  }
  const oneLess = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });

  try {
    for await (const item of items) {
      if (errors.length > 0) break;
      inHand += 1;
      void workOn(item);
      while (inHand >= most() && errors.length === 0) await oneLess();
    }
  } catch (error) {
    errors.push(error);
  }
  while (inHand > 0) await oneLess();
  if (errors.length > 0) throw errors[0];
}
