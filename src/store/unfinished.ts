import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './process-mark.ts';
import type { Store } from './store.ts';

/** What a killed process or client has left on its way into the store. */
export interface Unfinished {
  readonly files: number;
  readonly bytes: number;
}

/** A file on its way that nobody writes to for so long is not on its way any more. Who goes on with it begins anew. */
const IDLE_MS = 10_000;
/** So long after an upload its commit may take, where uploads of other files do not go on meanwhile. */
const COMMIT_MS = 10 * 60_000;

/**
 * Deletes what was on its way into the store and is not any more, or with `dry` only counts it. What is written to just now
 * is looked at once more a little later.
 */
export async function giveBackUnfinished(store: Store, { dry = false, idleMs = IDLE_MS } = {}): Promise<Unfinished> {
  const folder = join(store.root, 'tmp');
  let [files, bytes] = [0, 0];
  let newest = Date.now();
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    let info = await stat(path).catch(() => undefined);
    const wait = info === undefined ? 0 : info.mtimeMs + idleMs - newest;
    if (wait > 0) {
      await sleep(Math.min(wait, idleMs));
      newest = Date.now();
      info = await stat(path).catch(() => undefined);
    }
    if (info === undefined || newest - info.mtimeMs < idleMs) continue;
    // a folder is a repo that was being deleted
    files += 1;
    bytes += info.isDirectory() ? 0 : info.blocks * 512;
    if (!dry) await rm(path, { recursive: true, force: true });
  }
  return { files, bytes };
}

/**
 * Large files that a commit was to hold which will never come: their process is gone, or nothing has been sent for a while.
 * They are looked at from now on as what was dropped is.
 */
export async function giveUpWanted(store: Store): Promise<void> {
  const sending = await Promise.all(
    (await readdir(join(store.root, 'tmp'))).map((name) => stat(join(store.root, 'tmp', name)).catch(() => undefined)),
  );
  const last = Math.max(0, ...sending.map((info) => info?.mtimeMs ?? 0));
  for (const name of await readdir(join(store.root, 'wanted'))) {
    const path = join(store.root, 'wanted', name);
    const [mark, info] = await Promise.all([readFile(path, 'utf8').catch(() => ''), stat(path).catch(() => undefined)]);
    if (info === undefined) continue;
    const isLate = Date.now() - Math.max(info.mtimeMs, last) > COMMIT_MS;
    if ((mark !== '' && !isAlive(mark)) || isLate) await rename(path, join(store.root, 'dropped', name)).catch(() => undefined);
  }
}
