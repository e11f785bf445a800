import type { Batch, BatchedCall } from './batch.ts';
import { sentCalls } from './batch-keys.ts';
import type { CallLog } from './call-log.ts';
import type { SessionContext } from './dispatcher.ts';

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
