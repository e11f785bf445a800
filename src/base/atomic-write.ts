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
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
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

/** So often a folder is made below one that is there, before the file system is said to take none. */
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
    try {
      await mkdir(path, { mode });
      return first ?? path;
    } catch (error) {
      if (await isFolder(path)) return first;
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const isAbove = await isFolder(dirname(path));
      // the one above may be made, or swept away as empty, by somebody else at the same time
      if (!isMissing || (isAbove && tries > TRIES)) throw error;
      if (!isAbove) first = (await makeFolder(dirname(path), mode)) ?? first;
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
