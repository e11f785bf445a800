import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Replaces a file as a whole, durably: temporary file in the same folder, fsync, rename, fsync of the folder. After a
 * crash the path holds the old bytes or the new ones, never a part.
 */
export async function atomicWrite(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  const folder = dirname(path);
  await makeFolder(folder);
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  await writeThenMove({ temporary, mode }, data, () => rename(temporary, path));
  await syncFolder(folder);
}

/** Writes a new file and syncs it, then moves it to where it belongs. When either fails, the file is deleted. */
export async function writeThenMove(
  { temporary, mode }: { readonly temporary: string; readonly mode: number },
  data: string | Uint8Array,
  move: () => Promise<void>,
): Promise<void> {
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await move();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Makes renames, links and creations inside a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Attempts at a folder below one that is there: the one above may be swept away as empty by another process meanwhile. */
const TRIES = 5;

/**
 * Makes a folder and those above it; returns the topmost that was missing. Throws what `mkdir` throws. Node's own `recursive`
 * never ends where a file system takes no folders (Node 24.21 in /proc), and says of a read-only one that the folder above is
 * missing.
 */
export async function makeFolder(folder: string, mode = 0o777): Promise<string | undefined> {
  const path = resolve(folder);
  let first: string | undefined;
  for (let tries = 1; ; tries += 1) {
    const error = await mkdir(path, { mode }).then(
      () => undefined,
      (thrown: NodeJS.ErrnoException) => thrown,
    );
    if (error === undefined) return first ?? path;
    if (await isFolder(path)) return first;
    const isAbove = await isFolder(dirname(path));
    if (error.code !== 'ENOENT' || (isAbove && tries > TRIES)) throw error;
    if (!isAbove) first = (await makeFolder(dirname(path), mode)) ?? first;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
