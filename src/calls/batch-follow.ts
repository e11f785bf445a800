import type { ServerBatch } from '../teachers/teacher.ts';
import { type BatchContext, bear } from './batch.ts';
import { neverOver } from './shutdown.ts';
import { pause } from './wait.ts';

const FINAL: ReadonlySet<string> = new Set(['completed', 'failed', 'expired', 'cancelled']);
const WAITING: ReadonlySet<string> = new Set(['validating', 'in_progress', 'finalizing', 'cancelling']);

/** So long after the end of its window a batch is late, and one in an unknown state is given up; clocks differ. */
const LATE_MS = 3_600_000;
/** The window that is asked for, where the server does not say when it ends. */
const WINDOW_MS = 86_400_000;

/** A batch that is refused, or small, is over soon. */
const FIRST_LOOK_MS = 1000;

/** A server may need a moment until it knows what it has just made, */
const UNKNOWN_TIMES = 3;
/** and others that are over a moment until they are read. */
const ODD_TIMES = 3;

/**
 * Waits for a batch, for days if it takes so long; returns the server's last word, or nothing when the server does not know
 * the batch any more. A server that stays away is not waited for: the batch goes on there, and is taken up again later. A state that nobody here knows may be the last: it is waited
 * for until the batch's window has ended, then the session halts.
 */
export async function follow(context: BatchContext, id: string): Promise<ServerBatch | undefined> {
  const { api, shutdown, outage, teacher, note, over, oddWords } = context;
  const waiting = AbortSignal.any([shutdown.signal, over]);
  const asking = AbortSignal.any([shutdown.hard, over]);
  const begunAt = Date.now();
  let unknown = 0;
  let odd = 0;
  let wasLate = false;
  let fails = 0;
  for (let wait = Math.min(FIRST_LOOK_MS, api.pollMs); ; wait = Math.min(api.pollMs, wait * 1.5)) {
    await pause(wait, waiting);
    shutdown.check();
    over.throwIfAborted();
    const sentAt = performance.now();
    const said = await api.retrieve(id, asking);
    over.throwIfAborted();
    if (said.ok || said.failure.kind !== 'again') outage.answered();
    if (said.ok) {
      if (fails > 0) note(`"${teacher.name}" answers again: batch ${id} is ${said.value.status}`);
      const { status, createdAt = begunAt, expiresAt = createdAt + WINDOW_MS } = said.value;
      if (FINAL.has(status)) return said.value;
      const isLate = Date.now() > expiresAt + LATE_MS;
      if (isLate && !wasLate) note(`Batch ${id} is still "${status}", although its window has ended`);
      wasLate ||= isLate;
      if (!WAITING.has(status)) {
        odd += 1;
        if (odd >= ODD_TIMES && isLate) throw shutdown.stop(neverOver(teacher, id, status));
        if (!oddWords.has(status))
          note(`Batch ${id} is "${status}", a word that is not OpenAI's: it is asked after until its window ends`);
        oddWords.add(status);
      }
      unknown = 0;
      fails = 0;
      continue;
    }
    const { failure } = said;
    if (failure.status === 404) {
      unknown += 1;
      if (unknown >= UNKNOWN_TIMES) return undefined;
      continue;
    }
    fails += 1;
    if (fails === 1 && failure.kind === 'again')
      note(`"${teacher.name}" does not say how batch ${id} is: ${failure.message}; it is asked again`);
    await bear(context, failure, sentAt, fails);
  }
}
