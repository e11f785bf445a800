import * as z from 'zod';
import type { RepoId } from '../model/artifact.ts';
import { readCommit } from '../store/objects.ts';
import { reclaim } from '../store/reclaim.ts';
import { resolveRevision } from '../store/refs.ts';
import { createRepo, deleteRepo, listRepos, moveRepo, readRepo, writeRepo } from '../store/repos.ts';
import { repoFolder } from '../store/store.ts';
import { listEntries } from '../store/tree.ts';
import { isTrue, readJson } from './body.ts';
import { type Exchange, HttpError, nextPage, sendJson } from './exchange.ts';
import { type Found, findRepo, splitRevision } from './revision.ts';

const repoKind = z.enum(['model', 'dataset', 'space', 'bucket', 'kernel']).nullish();
const named = z.object({ name: z.string(), organization: z.string().nullish(), type: repoKind });
const visibility = z.enum(['public', 'private', 'protected']).nullish();
const seen = z.object({ visibility, private: z.boolean().nullish() });

/** Models at the root, datasets below `datasets/`. */
export function webPath({ type, name }: RepoId): string {
  return type === 'model' ? name : `${type}s/${name}`;
}

function repoOf(exchange: Exchange, { name, organization, type }: z.infer<typeof named>): RepoId {
  if (type !== undefined && type !== null && type !== 'model' && type !== 'dataset') {
    throw new HttpError(501, `This Hub keeps models and datasets, it has no ${type} repos`);
  }
  const full = name.includes('/') ? name : `${organization ?? exchange.user}/${name}`;
  return { type: type ?? 'model', name: full };
}

/** Private unless asked otherwise: clients that say nothing rely on it. */
function visibilityOf(asked: z.infer<typeof seen>): 'private' | 'public' {
  return asked.visibility === 'public' || (asked.visibility == null && asked.private === false) ? 'public' : 'private';
}

export async function create(exchange: Exchange): Promise<void> {
  const asked = await readJson(exchange, named.extend(seen.shape));
  const id = repoOf(exchange, asked);
  const outcome = await createRepo(exchange.store, id, visibilityOf(asked));
  const url = `${exchange.origin}/${webPath(id)}`;
  if (outcome === 'bad-name') throw new HttpError(400, `Invalid repo name "${id.name}"`);
  // a client that does not mind reads the address in this very answer
  if (outcome === 'exists')
    throw new HttpError(409, 'You already created this repo', { body: { url, name: id.name, id: id.name } });
  sendJson(exchange, 200, { url, name: id.name, id: id.name });
}

export async function remove(exchange: Exchange): Promise<void> {
  const id = repoOf(exchange, await readJson(exchange, named));
  if (!(await deleteRepo(exchange.store, id))) throw new HttpError(404, 'Repository not found', { code: 'RepoNotFound' });
  await reclaim(exchange.store).catch(exchange.onFault);
  sendJson(exchange, 200, {});
}

export async function move(exchange: Exchange): Promise<void> {
  const { fromRepo, toRepo, type } = await readJson(
    exchange,
    z.object({ fromRepo: z.string(), toRepo: z.string(), type: repoKind }),
  );
  const from = repoOf(exchange, { name: fromRepo, type });
  const outcome = await moveRepo(exchange.store, from, { ...from, name: toRepo });
  if (outcome === 'no-repo') throw new HttpError(404, 'Repository not found', { code: 'RepoNotFound' });
  if (outcome === 'exists') throw new HttpError(409, `Repo "${toRepo}" exists`);
  if (outcome === 'bad-name') throw new HttpError(400, `Invalid repo name "${toRepo}"`);
  sendJson(exchange, 200, {});
}

export async function settings(exchange: Exchange, repo: Found): Promise<void> {
  const asked = await readJson(exchange, seen);
  const next = asked.visibility == null && asked.private == null ? repo.record.visibility : visibilityOf(asked);
  await writeRepo(exchange.store, repo.id, { ...repo.record, visibility: next });
  sendJson(exchange, 200, { private: next === 'private', visibility: next });
}

function sortKey(name: string): string {
  return name.replace('/', '\0');
}

/** Repos on a page. */
const LISTED = 1000;

export async function list(exchange: Exchange, type: RepoId['type']): Promise<void> {
  const { store, query } = exchange;
  const author = query.get('author');
  const search = (query.get('search') ?? '').toLowerCase();
  const limit = Math.min(Math.max(Number(query.get('limit') ?? LISTED) || LISTED, 1), LISTED);
  const after = Buffer.from(query.get('cursor') ?? '', 'base64url').toString('utf8');
  const ids = (await listRepos(store)).filter(
    (id) => id.type === type && (author === null || id.name.startsWith(`${author}/`)) && id.name.toLowerCase().includes(search),
  );
  // by namespace, then by name: as `listRepos` sorts
  const left = after === '' ? ids : ids.filter(({ name }) => sortKey(name) > sortKey(after));
  const shown = left.slice(0, limit);
  const infos = shown.map(async (id) => {
    const repo = await findRepo(store, id.type, id.name);
    return summary(repo, (await resolveRevision(repoFolder(store, id), 'main')) ?? '');
  });
  sendJson(exchange, 200, await Promise.all(infos), left.length > limit ? nextPage(exchange, shown.at(-1)?.name ?? '') : {});
}

export async function info(exchange: Exchange, repo: Found, rawRevision: string): Promise<void> {
  const { commit } = await splitRevision(repo, rawRevision);
  const tree = (await readCommit(repo.folder, commit))?.tree ?? '';
  const entries = await listEntries(exchange.store, repo.folder, tree, { recursive: true });
  const withBlobs = isTrue(exchange.query.get('blobs'));
  const siblings = entries
    .filter(({ kind }) => kind === 'file')
    .map(({ path, size, id, lfs }) => ({
      rfilename: path,
      ...(withBlobs
        ? { size, blobId: id, ...(lfs === undefined ? {} : { lfs: { ...lfs, pointerSize: pointerBytes(lfs.size) } }) }
        : {}),
    }));
  sendJson(exchange, 200, { ...(await summary(repo, commit)), siblings });
}

/** Bytes of a pointer: only the number of digits varies. */
export function pointerBytes(size: number): number {
  return 125 + String(size).length;
}

async function summary({ id, record, folder }: Found, commit: string): Promise<Record<string, unknown>> {
  const time = (await readCommit(folder, commit))?.time ?? 0;
  return {
    _id: `${id.type}:${id.name}`,
    id: id.name,
    ...(id.type === 'model' ? { modelId: id.name } : {}),
    author: id.name.split('/')[0],
    sha: commit,
    lastModified: new Date(time * 1000).toISOString(),
    createdAt: record.createdAt,
    private: record.visibility === 'private',
    visibility: record.visibility,
    gated: false,
    disabled: false,
    downloads: 0,
    likes: 0,
    tags: [],
  };
}

export async function authCheck(exchange: Exchange, repo: Found): Promise<void> {
  sendJson(exchange, 200, { id: repo.id.name, exists: (await readRepo(exchange.store, repo.id)) !== undefined });
}
