import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder, syncFolder, writeThenMove } from '../base/atomic-write.ts';
import { diskFull } from '../errors.ts';
import type { Store } from './store.ts';

/** A path in the store's own `tmp`: on the store's disk, and out of sight of git, which reads what lies in a repo. */
export function temporaryPath(store: Store): string {
  return join(store.root, 'tmp', randomBytes(12).toString('hex'));
}

/** Puts a file into place as a whole. Durable once its folder is synced: see `placeDurably`. */
export async function place(store: Store, path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = temporaryPath(store);
  await writeThenMove({ temporary, mode }, data, () => moveInto(temporary, path));
}

export async function placeDurably(store: Store, path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  await place(store, path, data, mode);
  await syncFolder(dirname(path));
}

/** Renames, and makes the folders on the way. */
export async function moveInto(from: string, path: string): Promise<void> {
  await mkdirDurably(dirname(path));
  await rename(from, path);
}

/** A new folder is durable only when the one above it is synced. */
export async function mkdirDurably(folder: string): Promise<void> {
  const first = await makeFolder(folder);
  if (first === undefined) return;
  for (let at = folder; at.length >= first.length; at = dirname(at)) await syncFolder(dirname(at));
}

/** Tells a full disk as what it is; everything else is thrown as it came. */
export async function explainingFullDisk<T>(store: Store, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskFull(error, `write to the Hub folder "${store.root}"`) ?? error;
  }
}
