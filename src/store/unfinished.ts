import { lstat, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './process-mark.ts';
import type { Store } from './store.ts';

/** Files that a killed process or client has left half stored. */
export interface Unfinished {
  readonly files: number;
  readonly bytes: number;
}

/** A file on its way that was last written longer ago than this is given up: a process that goes on with it begins anew. */
const IDLE_MS = 10_000;
/** The longest time between an upload and its commit, where uploads of other files do not go on meanwhile. */
const COMMIT_MS = 10 * 60_000;

/**
 * Deletes what killed processes left of uploads (`tmp`) and pulls (`pulls`), or with `dry` only counts it. A file that was
 * written to just now is checked a second time a little later.
 */
export async function giveBackUnfinished(store: Store, { dry = false, idleMs = IDLE_MS } = {}): Promise<Unfinished> {
  let [files, bytes] = [0, 0];
  let now = Date.now();
  for (const path of [...(await namesIn(store, 'tmp')), ...(await namesIn(store, 'pulls'))]) {
    let found = await factsOf(path);
    const wait = found === undefined ? 0 : found.newest + idleMs - now;
    if (wait > 0) {
      await sleep(Math.min(wait, idleMs));
      now = Date.now();
      found = await factsOf(path);
    }
    if (found === undefined || now - found.newest < idleMs) continue;
    files += 1;
    bytes += found.bytes;
    if (!dry) await rm(path, { recursive: true, force: true });
  }
  return { files, bytes };
}

async function namesIn(store: Store, folder: string): Promise<string[]> {
  const names = await readdir(join(store.root, folder)).catch(() => []);
  return names.map((name) => join(store.root, folder, name));
}

/** When something was last written there (ms), and the bytes of files that have no other name. */
async function factsOf(path: string): Promise<{ newest: number; bytes: number } | undefined> {
  const info = await lstat(path).catch(() => undefined);
  if (info === undefined) return undefined;
  let [newest, bytes] = [info.mtimeMs, info.isFile() && info.nlink === 1 ? info.blocks * 512 : 0];
  for (const name of info.isDirectory() ? await readdir(path).catch(() => []) : []) {
    const below = await factsOf(join(path, name));
    newest = Math.max(newest, below?.newest ?? 0);
    bytes += below?.bytes ?? 0;
  }
  return { newest, bytes };
}

/**
 * Finds large files whose commit will never be made, because its process is gone or its client has sent nothing for a while,
 * and marks them as dropped, so that `reclaim` checks them.
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
