import type { Call, CallOutcome } from './call.ts';
import { forEachAtOnce } from './for-each.ts';
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
