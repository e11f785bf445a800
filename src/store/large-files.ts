import { chmod, constants, copyFile, link, open, realpath, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../base/atomic-write.ts';
import { piecesOf, sha256, sha256File } from '../base/sha256.ts';
import { mkdirDurably, moveInto, placeDurably, temporaryPath } from './durable.ts';
import type { LfsPointer } from './lfs-pointer.ts';
import { lfsFile, type Store } from './store.ts';
import { want, wantNoMore } from './wanted.ts';

/** What link(2) fails with where a copy may do: another disk, another owner, too many links, a file system without links. */
const NO_LINK: ReadonlySet<string> = new Set(['EXDEV', 'EPERM', 'EACCES', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

export function isNoLink(error: unknown): boolean {
  return NO_LINK.has((error as NodeJS.ErrnoException).code ?? '');
}

/** Whether the store holds the file at its full length. */
export async function hasLarge(store: Store, { sha256, size }: LfsPointer): Promise<boolean> {
  return (await largeSize(store, sha256)) === size;
}

/**
 * Whether the store holds the file with the very bytes of its name: what a disk has spoilt since is replaced by the
 * next commit that brings it. `source` may be the stored file itself, which then need not be read.
 */
async function holdsWhole(store: Store, pointer: LfsPointer, source?: string): Promise<boolean> {
  if (!(await hasLarge(store, pointer))) return false;
  const stored = lfsFile(store, pointer.sha256);
  const [a, b] = await Promise.all([stat(stored), source === undefined ? undefined : stat(source)]);
  return (a.dev === b?.dev && a.ino === b.ino) || (await sha256File(stored).catch(() => '')) === pointer.sha256;
}

/** Bytes of a stored large file, `undefined` when it is not stored. */
export async function largeSize(store: Store, sha256: string): Promise<number | undefined> {
  return (await stat(lfsFile(store, sha256)).catch(() => undefined))?.size;
}

interface Ingested {
  /** The store believes the caller and does not hash the bytes. */
  readonly sha256?: string | undefined;
  /** Aborted by the caller to stop the hash or the copy, which read every byte. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes a file into the store by hard link, without copying a byte; by reflink or copy where a link cannot be made. The
 * file becomes read-only (0444): it and the stored one are the same. Until `wantNoMore` says
 * so, no `prune` takes it.
 */
export async function ingest(store: Store, file: string, { sha256: known, signal }: Ingested = {}): Promise<LfsPointer> {
  // the path is resolved first, since link(2) links a symbolic link and not its target
  const source = await realpath(file);
  const { size } = await stat(source);
  const pointer = { sha256: known ?? (await sha256File(source, signal)), size };
  return wanting(store, pointer, async () => {
    if (await holdsWhole(store, pointer, source)) return;
    const target = lfsFile(store, pointer.sha256);
    await mkdirDurably(dirname(target));
    try {
      await chmod(source, 0o444);
      await syncFile(source);
      await link(source, target);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
        // another caller stored the file meanwhile, or the stored one is damaged: the copy replaces it
        if (await holdsWhole(store, pointer, source)) return;
      } else if (!isNoLink(error)) throw error;
      await copyInto(store, source, target, signal);
    }
    await syncFolder(dirname(target));
  });
}

/** Takes the mark of a wanted file back when the file could not be brought. */
async function wanting(store: Store, pointer: LfsPointer, bring: () => Promise<void>): Promise<LfsPointer> {
  await want(store, pointer.sha256);
  try {
    await bring();
    return pointer;
  } catch (error) {
    await wantNoMore(store, pointer.sha256);
    throw error;
  }
}

/** Copies a file to a path where there is none, by reflink where the disk can. */
export async function copyNew(from: string, to: string, signal?: AbortSignal): Promise<void> {
  try {
    return await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
  } catch {
    // the disk has no reflink; if it failed for another reason, the copy fails for the same one and is reported
  }
  await using file = await open(to, 'wx');
  for await (const piece of piecesOf(from, signal)) await file.writeFile(piece);
}

async function copyInto(store: Store, source: string, target: string, signal: AbortSignal | undefined): Promise<void> {
  const temporary = temporaryPath(store);
  try {
    await copyNew(source, temporary, signal);
    await adopt(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Makes a finished temporary file of the store's own disk a stored one. */
async function adopt(temporary: string, target: string): Promise<void> {
  await chmod(temporary, 0o444);
  await syncFile(temporary);
  await moveInto(temporary, target);
  await syncFolder(dirname(target));
}

/** Takes in a file of the store's `tmp`, whose sha256 the caller has just computed, by moving it. */
export async function adoptLarge(store: Store, temporary: string, sha256: string): Promise<void> {
  await want(store, sha256);
  await adopt(temporary, lfsFile(store, sha256));
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Takes in bytes that are in memory. */
export async function ingestBytes(store: Store, content: Uint8Array): Promise<LfsPointer> {
  const pointer = { sha256: sha256(content), size: content.length };
  return wanting(store, pointer, async () => {
    if (!(await holdsWhole(store, pointer))) await placeDurably(store, lfsFile(store, pointer.sha256), content, 0o444);
  });
}
