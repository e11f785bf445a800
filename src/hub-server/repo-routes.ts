import { stringify } from 'yaml';
import * as z from 'zod';
import type { RepoId } from '../model/artifact.ts';
import { ATTRIBUTES } from '../store/large-file.ts';
import { readCommit } from '../store/objects.ts';
import { reclaim } from '../store/reclaim.ts';
import { resolveRevision } from '../store/refs.ts';
import { createRepo, deleteRepo, listRepos, moveRepo, readRepo, writeRepo } from '../store/repos.ts';
import { repoFolder, type Store } from '../store/store.ts';
import { listEntries } from '../store/tree.ts';
import { isTrue, readJson } from './body.ts';
import { type Exchange, HttpError, nextPage, sendJson } from './exchange.ts';
import { type Found, findRepo, splitRevision } from './revision.ts';

const repoKind = z.enum(['model', 'dataset', 'space', 'bucket', 'kernel']).nullish();
const named = z.looseObject({ name: z.string(), organization: z.string().nullish(), type: repoKind });
const visibility = z.enum(['public', 'private', 'protected']).nullish();
const seen = z.object({ visibility, private: z.boolean().nullish() });

/** The page of a repo: models lie at the root, datasets below `datasets/`. */
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

/** A repo is private unless the client asks otherwise: clients that say nothing rely on it. */
function visibilityOf(asked: z.infer<typeof seen>): 'private' | 'public' {
  if (asked.visibility === 'protected') throw new HttpError(501, 'This Hub has private and public repos, and no protected ones');
  return asked.visibility === 'public' || (asked.visibility == null && asked.private === false) ? 'public' : 'private';
}

const creation = named.extend({
  ...seen.shape,
  license: z.string().nullish(),
  files: z.array(z.object({ path: z.string(), content: z.string(), encoding: z.enum(['base64', 'utf-8']).nullish() })).nullish(),
});

/** What a repo holds from the beginning: the files that are given, else which are large ones; and a card with the license. */
function firstFiles({ license, files }: z.infer<typeof creation>): Map<string, Uint8Array> {
  const first = new Map<string, Uint8Array>(files == null ? [['.gitattributes', Buffer.from(ATTRIBUTES)]] : []);
  if (license != null && license !== '') first.set('README.md', Buffer.from(`---\n${stringify({ license })}---\n`));
  for (const { path, content, encoding } of files ?? [])
    first.set(path, Buffer.from(content, encoding === 'utf-8' ? 'utf8' : 'base64'));
  return first;
}

/** Refuses by name each setting that this Hub does not have, so that no client believes it was set. */
function refuseOthers(asked: object, shape: z.ZodObject, what: string): void {
  const others = Object.entries(asked).filter(([key, value]) => value != null && !(key in shape.shape));
  if (others.length > 0) throw new HttpError(501, `This Hub has no ${others.map(([key]) => `"${key}"`).join(', ')} in ${what}`);
}

export async function create(exchange: Exchange): Promise<void> {
  const asked = await readJson(exchange, creation);
  const id = repoOf(exchange, asked);
  refuseOthers(asked, creation, 'the creation of a repo');
  const outcome = await createRepo(exchange.store, id, visibilityOf(asked), firstFiles(asked));
  const url = `${exchange.origin}/${webPath(id)}`;
  if (outcome === 'bad-name') throw new HttpError(400, `Invalid repo name "${id.name}"`);
  if (outcome === 'bad-path') throw new HttpError(422, 'The path of a first file cannot stand in a repo');
  // a client that allows an existing repo reads its address in this answer
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
  const outcome = await moveRepo(exchange.store, from, repoOf(exchange, { name: toRepo, type }));
  if (outcome === 'no-repo') throw new HttpError(404, 'Repository not found', { code: 'RepoNotFound' });
  if (outcome === 'exists') throw new HttpError(409, `A ${from.type} repository called ${toRepo} already exists`);
  if (outcome === 'bad-name') throw new HttpError(400, `Invalid repo name "${toRepo}"`);
  sendJson(exchange, 200, {});
}

const changes = z.looseObject({ ...seen.shape, gated: z.union([z.literal(false), z.enum(['auto', 'manual'])]).nullish() });

export async function settings(exchange: Exchange, repo: Found): Promise<void> {
  const asked = await readJson(exchange, changes);
  refuseOthers(asked, changes, 'the settings of a repo');
  const { gated: before, ...rest } = repo.record;
  const visibility = asked.visibility == null && asked.private == null ? rest.visibility : visibilityOf(asked);
  const gated = asked.gated ?? before ?? false;
  await writeRepo(exchange.store, repo.id, { ...rest, visibility, ...(gated === false ? {} : { gated }) });
  sendJson(exchange, 200, { private: visibility === 'private', visibility, gated });
}

function sortKey(name: string): string {
  return name.replace('/', '\0');
}

/** Repos on a page. */
const LISTED = 1000;

/** Filters of the Hub by which no repo of this one can be found: with one of them the list is empty. */
const UNKNOWN = [
  'filter',
  'pipeline_tag',
  'gated',
  'inference',
  'inference_provider',
  'apps',
  'num_parameters',
  'trained_dataset',
];

export async function list(exchange: Exchange, type: RepoId['type']): Promise<void> {
  const { store, query } = exchange;
  const other = UNKNOWN.find((key) => query.has(key));
  if (other !== undefined) throw new HttpError(501, `This Hub finds repos by author and search, not by ${other}`);
  const author = query.get('author');
  const search = (query.get('search') ?? '').toLowerCase();
  const limit = Math.min(Math.max(Number(query.get('limit') ?? LISTED) || LISTED, 1), LISTED);
  const ids = (await listRepos(store)).filter(
    (id) => id.type === type && (author === null || id.name.startsWith(`${author}/`)) && id.name.toLowerCase().includes(search),
  );
  const by = TIMES.find((key) => key === query.get('sort'));
  const { shown, last } = by === undefined ? await byName(exchange, ids, limit) : await byTime(exchange, ids, limit, by);
  sendJson(exchange, 200, shown, last === undefined ? {} : nextPage(exchange, last));
}

interface Page {
  readonly shown: readonly Record<string, unknown>[];
  /** where the next page begins; none: it is the last one */
  readonly last: string | undefined;
}

/** The order of `listRepos`: by namespace, then by name. */
async function byName({ store, query }: Exchange, ids: readonly RepoId[], limit: number): Promise<Page> {
  const after = Buffer.from(query.get('cursor') ?? '', 'base64url').toString('utf8');
  const left = after === '' ? ids : ids.filter(({ name }) => sortKey(name) > sortKey(after));
  const shown = left.slice(0, limit);
  const infos = await Promise.all(shown.map((id) => listed(store, id)));
  return { shown: infos, last: left.length > limit ? shown.at(-1)?.name : undefined };
}

/** Sorts by a time, the newest first unless the direction is 1, for which the server has to read all repos. */
async function byTime(
  { store, query }: Exchange,
  ids: readonly RepoId[],
  limit: number,
  by: (typeof TIMES)[number],
): Promise<Page> {
  const start = Number(Buffer.from(query.get('cursor') ?? '', 'base64url').toString('utf8')) || 0;
  const sign = query.get('direction') === '1' ? 1 : -1;
  const infos = await Promise.all(ids.map((id) => listed(store, id)));
  infos.sort((a, b) => sign * (String(a[by]) < String(b[by]) ? -1 : 1));
  return { shown: infos.slice(start, start + limit), last: start + limit < infos.length ? String(start + limit) : undefined };
}

async function listed(store: Store, id: RepoId): Promise<Record<string, unknown>> {
  return summary(await findRepo(store, id.type, id.name), (await resolveRevision(repoFolder(store, id), 'main')) ?? '');
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

/** Orders that differ from that of names. This Hub counts no likes and no downloads, so by these all repos are equal. */
const TIMES = ['lastModified', 'createdAt'] as const;

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
    gated: record.gated ?? false,
    disabled: false,
    downloads: 0,
    likes: 0,
    tags: [],
  };
}

export async function authCheck(exchange: Exchange, repo: Found): Promise<void> {
  sendJson(exchange, 200, { id: repo.id.name, exists: (await readRepo(exchange.store, repo.id)) !== undefined });
}
