import type { Batch, PendingCall } from './batch.ts';
import type { BatchBuffer } from './batch-buffer.ts';

/** Tells whoever waits for a call what came of it; its money is free again. */
export function give(waiting: PendingCall | undefined, tell: (waiting: PendingCall) => void): void {
  if (waiting === undefined) return;
  waiting.claim?.settled();
  waiting.claim = undefined;
  tell(waiting);
}

const isStopped = ({ stop }: PendingCall) => stop.signal.aborted;

/**
 * Sends away those who need not wait any more. What was sent goes on at the server, and whoever asks for it later takes it
 * up there.
 */
export function dropStopped(buffer: BatchBuffer, underway: Iterable<Batch>): void {
  for (const waiting of buffer.take(isStopped)) give(waiting, ({ reject, stop }) => reject(stop.reason()));
  for (const { id, members } of underway) {
    // Until the server has the file, its lines are read from the spill, which whoever waits keeps.
    if (id === undefined) continue;
    for (const member of members.values()) {
      const { waiting } = member;
      if (waiting === undefined || !isStopped(waiting)) continue;
      member.waiting = undefined;
      give(waiting, ({ reject, stop }) => reject(stop.reason()));
    }
  }
}

export function isWaitedFor(underway: Iterable<Batch>): boolean {
  for (const { members } of underway)
    for (const { waiting } of members.values()) if (waiting !== undefined && !isStopped(waiting)) return true;
  return false;
}
