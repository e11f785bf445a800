import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { ArtifactRef } from '../model/artifact.ts';
import type { FileDigest } from '../model/content-digest.ts';

/** A file of a commit, with the name that huggingface_hub gives to its bytes: sha256 of a large file, else git's SHA-1. */
interface BlobEntry {
  readonly path: string;
  readonly size: number;
  readonly etag: string;
}

/**
 * Lays a commit out as huggingface_hub does: `blobs/<etag>`, and links to them under `snapshots/<commit>`. `fill` puts
 * checked bytes at a blob's path and returns their sha256. The snapshot appears as a whole, after all of its blobs.
 */
export async function laySnapshot<E extends BlobEntry>(
  cache: string,
  ref: ArtifactRef,
  entries: readonly E[],
  fill: (entry: E, blob: string) => Promise<string>,
): Promise<{ folder: string; files: FileDigest[] }> {
  const repo = join(cache, `${ref.type}s--${ref.name.replace('/', '--')}`);
  await mkdir(join(repo, 'blobs'), { recursive: true });
  await mkdir(join(repo, 'snapshots'), { recursive: true });
  const hashes = new Map<string, string>();
  const files: FileDigest[] = [];
  for (const entry of entries) {
    const sha256 = hashes.get(entry.etag) ?? (await fill(entry, join(repo, 'blobs', entry.etag)));
    hashes.set(entry.etag, sha256);
    files.push({ path: entry.path, size: entry.size, sha256 });
  }
  const folder = join(repo, 'snapshots', ref.commit);
  if (!(await isLaid(folder, entries))) await layLinks(folder, entries);
  return { folder, files };
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
