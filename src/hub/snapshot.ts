import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { ArtifactRef, RepoId } from '../model/artifact.ts';
import type { FileDigest } from '../model/content-digest.ts';
import { copyNew, isNoLink } from '../store/large-files.ts';

/** A file of a commit, with the name that huggingface_hub gives to its bytes: sha256 of a large file, else git's SHA-1. */
export interface BlobEntry {
  readonly path: string;
  readonly size: number;
  readonly etag: string;
}

/**
 * Lays a commit out as huggingface_hub does: `blobs/<etag>`, and links to them under `snapshots/<commit>`. `fill` puts the
 * checked bytes of each etag, which it gets once, into the folder of blobs, and returns their sha256 by etag. The snapshot
 * appears as a whole, after all of its blobs.
 */
export async function laySnapshot<E extends BlobEntry>(
  cache: string,
  ref: ArtifactRef,
  entries: readonly E[],
  fill: (unique: readonly E[], blobs: string) => Promise<ReadonlyMap<string, string>>,
): Promise<{ folder: string; files: FileDigest[] }> {
  const repo = repoIn(cache, ref);
  const blobs = blobsIn(cache, ref);
  await mkdir(blobs, { recursive: true });
  await mkdir(join(repo, 'snapshots'), { recursive: true });
  const hashes = await fill([...new Map(entries.map((entry) => [entry.etag, entry])).values()], blobs);
  const files = entries.map(({ path, size, etag }) => {
    const sha256 = hashes.get(etag);
    if (sha256 === undefined) throw new Error(`The bytes of "${path}" were not laid out`);
    return { path, size, sha256 };
  });
  const folder = join(repo, 'snapshots', ref.commit);
  if (!(await isLaid(folder, entries))) await layLinks(folder, entries);
  return { folder, files };
}

/** The folder of a repo in a Hugging Face cache. */
export function repoIn(cache: string, { type, name }: RepoId): string {
  return join(cache, `${type}s--${name.replace('/', '--')}`);
}

export function blobsIn(cache: string, repo: RepoId): string {
  return join(repoIn(cache, repo), 'blobs');
}

/** Gives a file a second name, and where none can be given a copy of its own. */
export async function linkOrCopy(from: string, to: string, signal?: AbortSignal): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!isNoLink(error)) throw error;
    await copyNew(from, to, signal);
    await chmod(to, 0o444);
  }
}

/** Puts what `make` writes under another name in place of what is at the path. */
export async function replaceFile(path: string, make: (draft: string) => Promise<void>): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await make(draft);
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}

function linkTarget(path: string, etag: string): string {
  return join(...path.split('/').map(() => '..'), '..', 'blobs', etag);
}

/** Whether the folder holds the links of the commit and nothing else: what lies beside them could be read as part of it. */
async function isLaid(folder: string, entries: readonly BlobEntry[]): Promise<boolean> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const links = found.filter((entry) => !entry.isDirectory());
  if (links.length !== entries.length) return false;
  const targets = new Map<string, string>();
  for (const link of links) {
    const path = join(link.parentPath, link.name);
    targets.set(relative(folder, path), await readlink(path).catch(() => ''));
  }
  return entries.every(({ path, etag }) => targets.get(path) === linkTarget(path, etag));
}

async function layLinks(folder: string, entries: readonly BlobEntry[]): Promise<void> {
  // beside the snapshots and as deep as they are, so that the links stay right when it is renamed
  const draft = `${folder}.${randomBytes(6).toString('hex')}`;
  await mkdir(draft);
  try {
    for (const { path, etag } of entries) {
      await mkdir(dirname(join(draft, path)), { recursive: true });
      await symlink(linkTarget(path, etag), join(draft, path));
    }
    await rename(draft, folder).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      if (await isLaid(folder, entries)) return;
      const old = `${draft}.old`;
      await rename(folder, old);
      await rename(draft, folder);
      await rm(old, { recursive: true, force: true });
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
