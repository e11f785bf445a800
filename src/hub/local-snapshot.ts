import { randomBytes } from 'node:crypto';
import { constants, copyFile, link, rename, rm, stat, writeFile } from 'node:fs/promises';
import { sha256, sha256File } from '../base/sha256.ts';
import type { ArtifactRef } from '../model/artifact.ts';
import type { FileDigest } from '../model/content-digest.ts';
import { isNoLink } from '../store/large-files.ts';
import { readBlob } from '../store/read.ts';
import { lfsFile, repoFolder, type Store } from '../store/store.ts';
import type { StoredEntry } from '../store/tree.ts';
import { differs, isBroken } from './damage.ts';
import { safetensorsFault } from './safetensors.ts';
import { laySnapshot } from './snapshot.ts';

/** Lays a commit of the store under `cache`: large files by hard link, every byte hashed. */
export async function layFromStore(
  store: Store,
  ref: ArtifactRef,
  entries: readonly StoredEntry[],
  cache: string,
): Promise<{ folder: string; files: readonly FileDigest[] }> {
  const named = entries.map((entry) => ({ path: entry.path, size: entry.size, etag: entry.lfs?.sha256 ?? entry.id, entry }));
  return laySnapshot(cache, ref, named, async ({ entry }, blob) => {
    if (entry.lfs === undefined) {
      const bytes = await checkedBytes(store, ref, entry);
      await replaceFile(blob, (draft) => writeFile(draft, bytes, { mode: 0o444, flag: 'wx' }));
      return sha256(bytes);
    }
    const stored = await checkedLarge(store, ref, entry);
    if (!(await sameFile(stored, blob))) await replaceFile(blob, (draft) => linkOrCopy(stored, draft));
    // a copy made on the way may be wrong where the stored file is right
    if (!(await sameFile(stored, blob))) await expectHash(ref, entry, blob);
    return entry.lfs.sha256;
  });
}

/** The bytes of a file that lies inside the commit, compared with its git id. */
export async function checkedBytes(store: Store, ref: ArtifactRef, { path, id }: StoredEntry): Promise<Buffer> {
  const blob = await readBlob(repoFolder(store, ref), id);
  if (!blob.ok) throw differs(ref, path, `git id ${id}`, `git id ${blob.actual}`);
  return blob.bytes;
}

/** The stored path of a large file, its header looked at and every byte hashed. */
export async function checkedLarge(store: Store, ref: ArtifactRef, entry: StoredEntry): Promise<string> {
  const { sha256: expected, size } = entry.lfs ?? { sha256: '', size: 0 };
  const stored = lfsFile(store, expected);
  const info = await stat(stored).catch(() => undefined);
  if (info === undefined) throw differs(ref, entry.path, `sha256 ${expected}`, 'no bytes on the Hub');
  const fault = entry.path.endsWith('.safetensors') ? await safetensorsFault(stored) : undefined;
  if (fault !== undefined) throw isBroken(ref, entry.path, fault);
  if (info.size !== size) throw differs(ref, entry.path, `${size} bytes`, `${info.size} bytes`);
  await expectHash(ref, entry, stored);
  return stored;
}

async function expectHash(ref: ArtifactRef, entry: StoredEntry, file: string): Promise<void> {
  const actual = await sha256File(file);
  const expected = entry.lfs?.sha256;
  if (actual !== expected) throw differs(ref, entry.path, `sha256 ${expected}`, `sha256 ${actual}`);
}

async function sameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((path) => stat(path, { bigint: true }).catch(() => undefined)));
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev;
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!isNoLink(error)) throw error;
    await copyFile(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  }
}

async function replaceFile(path: string, make: (draft: string) => Promise<void>): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await make(draft);
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}
