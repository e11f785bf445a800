import type { ChatFailure, ServerBatch } from '../teachers/teacher.ts';
import { type BatchContext, bear } from './batch.ts';
import { neverOver } from './shutdown.ts';
import { pause } from './wait.ts';

const FINAL: ReadonlySet<string> = new Set(['completed', 'failed', 'expired', 'cancelled']);
const WAITING: ReadonlySet<string> = new Set(['validating', 'in_progress', 'finalizing', 'cancelling']);

/** Time after the end of its window at which a batch is late, and is given up if its state is unknown; clocks differ. */
const LATE_MS = 3_600_000;
/** The window that is asked for, where the server does not say when it ends. */
const WINDOW_MS = 86_400_000;

/** A batch that is refused, or small, is over soon. */
const FIRST_LOOK_MS = 1000;

/** A server may need a moment until it knows what it has just made, */
const UNKNOWN_TIMES = 3;
/** and others that are over a moment until they are read. */
const ODD_TIMES = 3;

/** Looks at a batch that told nothing: the server knew no such batch, had a word of its own, or did not answer. */
interface Looks {
  readonly begunAt: number;
  unknown: number;
  odd: number;
  fails: number;
  wasLate: boolean;
}

/**
 * Waits for a batch, for days if it takes them; returns the server's last word, or nothing when the server does not know
 * the batch any more. A server that stays away is not waited for: the batch goes on there, and is taken up again later. A
 * state that zephyr does not know may be the last: it is waited for until the batch's window has ended, then the session stops.
 */
export async function follow(context: BatchContext, id: string): Promise<ServerBatch | undefined> {
  const { api, shutdown, outage, over } = context;
  const waiting = AbortSignal.any([shutdown.signal, over]);
  const asking = AbortSignal.any([shutdown.hard, over]);
  const looks: Looks = { begunAt: Date.now(), unknown: 0, odd: 0, fails: 0, wasLate: false };
  for (let wait = Math.min(FIRST_LOOK_MS, api.pollMs); ; wait = Math.min(api.pollMs, wait * 1.5)) {
    await pause(wait, waiting);
    shutdown.check();
    over.throwIfAborted();
    const sentAt = performance.now();
    const said = await api.retrieve(id, asking);
    over.throwIfAborted();
    if (said.ok || said.failure.kind !== 'again') outage.answered();
    if (said.ok) {
      if (isOver(context, said.value, id, looks)) return said.value;
    } else if (said.failure.status === 404) {
      looks.unknown += 1;
      if (looks.unknown >= UNKNOWN_TIMES) return undefined;
    } else await isAway(context, id, looks, { failure: said.failure, sentAt });
  }
}

function isOver({ note, oddWords, teacher, shutdown }: BatchContext, batch: ServerBatch, id: string, looks: Looks): boolean {
  const { status, createdAt = looks.begunAt, expiresAt = createdAt + WINDOW_MS } = batch;
  if (looks.fails > 0) note(`"${teacher.name}" answers again: batch ${id} is ${status}`);
  if (FINAL.has(status)) return true;
  const isLate = Date.now() > expiresAt + LATE_MS;
  if (isLate && !looks.wasLate) note(`Batch ${id} is still "${status}", although its window has ended`);
  looks.wasLate ||= isLate;
  if (!WAITING.has(status)) {
    looks.odd += 1;
    if (looks.odd >= ODD_TIMES && isLate) throw shutdown.stop(neverOver(teacher, id, status));
    if (!oddWords.has(status))
      note(`Batch ${id} is "${status}", a word that is not OpenAI's: it is asked after until its window ends`);
    oddWords.add(status);
  }
  looks.unknown = 0;
  looks.fails = 0;
  return false;
}

async function isAway(
  context: BatchContext,
  id: string,
  looks: Looks,
  { failure, sentAt }: { readonly failure: ChatFailure; readonly sentAt: number },
): Promise<void> {
  looks.fails += 1;
  if (looks.fails === 1 && failure.kind === 'again')
    context.note(`"${context.teacher.name}" does not say how batch ${id} is: ${failure.message}; it is asked again`);
  await bear(context, failure, sentAt, looks.fails);
}
