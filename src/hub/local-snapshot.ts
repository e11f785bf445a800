import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256, sha256File } from '../base/sha256.ts';
import type { ArtifactRef } from '../model/artifact.ts';
import type { FileDigest } from '../model/content-digest.ts';
import { readBlob } from '../store/objects.ts';
import { lfsFile, repoFolder, type Store } from '../store/store.ts';
import type { StoredEntry } from '../store/tree.ts';
import { differs, isBroken } from './damage.ts';
import { safetensorsFault } from './safetensors.ts';
import { laySnapshot, linkOrCopy, replaceFile } from './snapshot.ts';
import { Meter, runBounded, type TransferOptions } from './transfer.ts';

/** A commit of a store, and what stops the reading of it. */
export interface At {
  readonly store: Store;
  readonly ref: ArtifactRef;
  readonly signal?: AbortSignal | undefined;
}

/** Lays files of a commit of the store under `cache`: large files by hard link, every byte hashed. */
export async function layFromStore(
  { store, ref }: At,
  entries: readonly StoredEntry[],
  cache: string,
  { signal, progress }: TransferOptions,
): Promise<{ folder: string; files: readonly FileDigest[] }> {
  const named = entries.map((entry) => ({ path: entry.path, size: entry.size, etag: entry.lfs?.sha256 ?? entry.id, entry }));
  const meter = new Meter(
    entries.reduce((sum, { size }) => sum + size, 0),
    0,
    progress,
  );
  return await laySnapshot(cache, ref, named, async (unique, blobs) => {
    const hashes = new Map<string, string>();
    const jobs = unique.map(({ entry, etag }) => async (stop: AbortSignal): Promise<void> => {
      hashes.set(etag, await layOne({ store, ref, signal: stop }, entry, join(blobs, etag)));
      meter.moved(entry.path, entry.size);
    });
    await runBounded(jobs, signal);
    return hashes;
  });
}

/** Puts the checked bytes of an entry at the blob's path and returns their sha256. */
async function layOne(at: At, entry: StoredEntry, blob: string): Promise<string> {
  if (entry.lfs === undefined) {
    const bytes = await checkedBytes(at, entry);
    await replaceFile(blob, (draft) => writeFile(draft, bytes, { mode: 0o444, flag: 'wx' }));
    return sha256(bytes);
  }
  const stored = await checkedLarge(at, entry);
  if (!(await sameFile(stored, blob))) await replaceFile(blob, (draft) => linkOrCopy(stored, draft, at.signal));
  // an earlier copy may be damaged although the stored file is whole
  if (!(await sameFile(stored, blob))) await expectHash(at, entry, blob);
  return entry.lfs.sha256;
}

/** The bytes of a file that lies inside the commit, compared with its git id. */
export async function checkedBytes({ store, ref }: At, { path, id }: StoredEntry): Promise<Buffer> {
  const blob = await readBlob(repoFolder(store, ref), id);
  if (!blob.ok) throw differs(ref, path, `git id ${id}`, `git id ${blob.actual}`);
  return blob.bytes;
}

/** The stored path of a large file, its header looked at and every byte hashed. */
export async function checkedLarge(at: At, entry: StoredEntry): Promise<string> {
  const { store, ref } = at;
  const { sha256: expected, size } = entry.lfs ?? { sha256: '', size: 0 };
  const stored = lfsFile(store, expected);
  const info = await stat(stored).catch(() => undefined);
  if (info === undefined) throw differs(ref, entry.path, `sha256 ${expected}`, 'no bytes on the Hub');
  const fault = entry.path.endsWith('.safetensors') ? await safetensorsFault(stored) : undefined;
  if (fault !== undefined) throw isBroken(ref, entry.path, fault);
  if (info.size !== size) throw differs(ref, entry.path, `${size} bytes`, `${info.size} bytes`);
  await expectHash(at, entry, stored);
  return stored;
}

async function expectHash({ ref, signal }: At, entry: StoredEntry, file: string): Promise<void> {
  const actual = await sha256File(file, signal);
  const expected = entry.lfs?.sha256;
  if (actual !== expected) throw differs(ref, entry.path, `sha256 ${expected}`, `sha256 ${actual}`);
}

async function sameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((path) => stat(path, { bigint: true }).catch(() => undefined)));
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev;
}
