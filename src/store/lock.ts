import { readlink, rm, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder } from '../base/atomic-write.ts';
import { ZephyrError } from '../errors.ts';
import { isAlive, ownMark } from './process-mark.ts';

/** Nothing slow is done under a lock; a caller that waits longer than this waits for a process that hangs. */
const PATIENCE_MS = 120_000;

/** What this process holds or waits for: one chain of turns for each lock file. */
const turns = new Map<string, Promise<unknown>>();

/**
 * Runs `work` while no other process on this host, and no other caller in this one, works under the same lock. It is a
 * link to nowhere that holds the mark of its process; a lock whose process is gone is taken over.
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const before = turns.get(path) ?? Promise.resolve();
  const mine = before.then(
    () => locked(path, work),
    () => locked(path, work),
  );
  turns.set(path, mine);
  try {
    return await mine;
  } finally {
    if (turns.get(path) === mine) turns.delete(path);
  }
}

async function locked<T>(path: string, work: () => Promise<T>): Promise<T> {
  await makeFolder(dirname(path));
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await tryTake(path))) {
    await breakStale(path);
    if (performance.now() > deadline) {
      throw new ZephyrError(`Cannot lock "${path}", another process holds it`, {
        exit: 'temporary',
        // a lock that was left behind in another container is never broken
        hint: 'It is a link that begins with the id of that process; if that hangs, end it; if its container is gone, delete the link',
      });
    }
    await sleep(2 + Math.random() * 20);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

/**
 * A symbolic link gets its name and its whole content in one step, and fails when the name is taken. A link this short
 * takes no block of the disk, so a process can take locks on a full disk and free space there.
 */
async function tryTake(path: string): Promise<boolean> {
  try {
    await symlink(ownMark(), path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes a dead process's lock. Two processes that see the same dead lock must not both remove it, since the second
 * would remove the fresh lock of the first: so a process looks and removes under a second, short lock.
 */
async function breakStale(path: string): Promise<void> {
  if (!(await isStale(path))) return;
  const breaker = `${path}.break`;
  if (await tryTake(breaker)) {
    try {
      if (await isStale(path)) await rm(path, { force: true });
    } finally {
      await rm(breaker, { force: true });
    }
  } else if (await isStale(breaker)) {
    await rm(breaker, { force: true });
  }
}

async function isStale(path: string): Promise<boolean> {
  const mark = await readlink(path).catch(() => undefined);
  return mark !== undefined && !isAlive(mark);
}
