import type { Batch, BatchedCall } from './batch.ts';
import type { CallLog } from './call-log.ts';
import type { SessionContext } from './dispatcher.ts';
import { readHead } from './record.ts';
import { findSegments, scanLines } from './segment-files.ts';

/** A call as a batch has it. */
export interface SentCall {
  readonly key: string;
  readonly attempt: number;
  /** estimated dollars */
  readonly est: number | null;
}

/**
 * What a call is named in the file of a batch: the first 48 hex digits of its key and the attempt. A server may not take
 * more than 64 characters.
 */
export function customIdOf(key: string, attempt: number): string {
  return `${key.slice(0, 48)}-${attempt}`;
}

/**
 * The calls of batches whose process is gone, by custom id, which is all that a batch's answers are named by: answers
 * that no session asks for again are paid too. Reads the logs once.
 */
async function sentCalls(folders: readonly string[], batches: ReadonlySet<string>): Promise<Map<string, Map<string, SentCall>>> {
  const found = new Map([...batches].map((sha) => [sha, new Map<string, SentCall>()]));
  if (batches.size === 0) return found;
  for (const folder of folders) {
    for (const path of (await findSegments(folder)).paths) {
      await scanLines(path, (line) => {
        const head = readHead(line);
        if (head?.t !== 'intent' || head.b === undefined) return;
        found.get(head.b)?.set(customIdOf(head.k, head.a), { key: head.k, attempt: head.a, est: head.est });
      });
    }
  }
  return found;
}

/** Batches that this process has begun: two dispatchers of one log may ask one server. */
const begun = new WeakMap<CallLog, Set<string>>();

export function begin(log: CallLog, sha: string): void {
  const own = begun.get(log) ?? new Set();
  begun.set(log, own.add(sha));
}

/** What earlier processes left at a server, or were about to send there: every batch without an end in the log. */
export async function leftBatches({ log, folders }: Pick<SessionContext, 'log' | 'folders'>, teacher: string): Promise<Batch[]> {
  const own = begun.get(log);
  const left = log.batches().filter((batch) => !batch.ended && batch.teacher === teacher && own?.has(batch.sha) !== true);
  const calls = await sentCalls(folders, new Set(left.map(({ sha }) => sha)));
  return left.map(({ sha, file = '', upload, id }) => {
    const members = new Map<string, BatchedCall>();
    for (const [customId, call] of calls.get(sha) ?? [])
      members.set(customId, { ...call, waiting: undefined, answered: false, failure: undefined });
    const wanted = Promise.withResolvers<void>();
    return { sha, file, members, upload, id, wanted, tokens: 0, isAdopted: true, isRecovered: false };
  });
}
