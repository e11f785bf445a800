import type { RepoId } from '../model/artifact.ts';
import { readBranchOrTag, resolveRevision } from '../store/refs.ts';
import { otherNames } from '../store/renames.ts';
import { type RepoRecord, readRepo } from '../store/repos.ts';
import { repoFolder, type Store } from '../store/store.ts';
import { HttpError } from './exchange.ts';

/** A repo that is there. */
export interface Found {
  readonly id: RepoId;
  readonly record: RepoRecord;
  /** its folder in the store */
  readonly folder: string;
}

export async function findRepo(store: Store, type: string, name: string): Promise<Found> {
  const id: RepoId = { type: type.startsWith('dataset') ? 'dataset' : 'model', name };
  const record = await readRepo(store, id);
  if (record !== undefined) return { id, record, folder: repoFolder(store, id) };
  for (const meant of await otherNames(store, id)) {
    const found = await readRepo(store, meant);
    if (found !== undefined) return { id: meant, record: found, folder: repoFolder(store, meant) };
  }
  throw new HttpError(404, 'Repository not found', { code: 'RepoNotFound' });
}

export function decodeSegments(raw: string): string[] {
  try {
    return raw.split('/').map(decodeURIComponent);
  } catch {
    throw new HttpError(400, 'Expected a path in percent-encoded UTF-8');
  }
}

interface Revision {
  readonly name: string;
  readonly commit: string;
  /** what follows the revision in the address, decoded */
  readonly path: string;
}

/**
 * Tells a revision from the path behind it. Python writes `feat%2Fy/file`, JavaScript `feat/y/file`: the longest start that
 * is a branch or a tag is the revision, else the first part. References are looked up by name: a repo may have thousands.
 */
export async function splitRevision(repo: Found, raw: string): Promise<Revision> {
  const parts = decodeSegments(raw);
  const first = parts[0] ?? '';
  // no branch and no tag has such a name
  const isCommit = /^[0-9a-f]{40}$/.test(first);
  for (let taken = isCommit ? 1 : parts.length; taken > 0; taken -= 1) {
    const name = parts
      .slice(0, taken)
      .join('/')
      .replace(/^refs\/(heads|tags)\//, '');
    const commit = taken === 1 ? await resolveRevision(repo.folder, name) : await readBranchOrTag(repo.folder, name);
    if (commit === undefined) continue;
    const path = parts
      .slice(taken)
      .filter((part) => part !== '')
      .join('/');
    return { name, commit, path };
  }
  throw new HttpError(404, `Invalid rev id: ${first}`, { code: 'RevisionNotFound' });
}
