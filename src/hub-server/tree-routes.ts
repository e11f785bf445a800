import { lastCommits } from '../store/history.ts';
import { readCommit } from '../store/objects.ts';
import { findEntry, listEntries, type StoredEntry } from '../store/tree.ts';
import { isTrue, readPaths } from './body.ts';
import { type Exchange, HttpError, nextPage, sendJson } from './exchange.ts';
import { pointerBytes } from './repo-routes.ts';
import { type Found, splitRevision } from './revision.ts';

/** Entries of a page, as on the Hub: fewer where a client asks for the last commit of each entry, which costs more. */
const PAGE = 1000;
const EXPANDED_PAGE = 50;

export async function tree(exchange: Exchange, repo: Found, raw: string): Promise<void> {
  const { store, query } = exchange;
  const { commit, path } = await splitRevision(repo, raw);
  const folder = await findEntry(store, repo.folder, await treeOf(repo, commit), path);
  if (folder?.kind !== 'folder') throw new HttpError(404, `${path} does not exist on "${commit}"`, { code: 'EntryNotFound' });
  const expand = isTrue(query.get('expand'));
  const most = expand ? EXPANDED_PAGE : PAGE;
  const limit = Math.min(Math.max(Number(query.get('limit') ?? most) || most, 1), most);
  const after = Buffer.from(query.get('cursor') ?? '', 'base64url').toString('utf8');

  const prefix = path === '' ? '' : `${path}/`;
  const all = await listEntries(store, repo.folder, folder.id, { prefix, recursive: isTrue(query.get('recursive')) });
  const left = all.filter((entry) => entry.path > after);
  const shown = left.slice(0, limit);
  const link = left.length > limit ? nextPage(exchange, shown.at(-1)?.path ?? '') : {};
  sendJson(exchange, 200, await describe({ exchange, repo, commit }, shown, expand), link);
}

/** Describes the paths that a client names, without those that are not there. */
export async function pathsInfo(exchange: Exchange, repo: Found, raw: string): Promise<void> {
  const { commit } = await splitRevision(repo, raw);
  const { paths, expand } = await readPaths(exchange);
  const root = await treeOf(repo, commit);
  const found = await Promise.all(paths.map((path) => findEntry(exchange.store, repo.folder, root, path.replace(/\/$/, ''))));
  const there = found.filter((entry) => entry !== undefined && entry.path !== '') as StoredEntry[];
  sendJson(exchange, 200, await describe({ exchange, repo, commit }, there, expand));
}

async function treeOf(repo: Found, commit: string): Promise<string> {
  return (await readCommit(repo.folder, commit))?.tree ?? '';
}

interface AskedCommit {
  readonly exchange: Exchange;
  readonly repo: Found;
  readonly commit: string;
}

async function describe(
  { exchange, repo, commit }: AskedCommit,
  entries: readonly StoredEntry[],
  expand: boolean,
): Promise<unknown[]> {
  const paths = entries.map(({ path }) => path);
  const last = expand ? await lastCommits(exchange.store, repo.folder, commit, paths) : undefined;
  return entries.map(({ kind, path, id, size, lfs }) => {
    const by = last?.get(path);
    return {
      type: kind === 'file' ? 'file' : 'directory',
      oid: id,
      size,
      path,
      ...(lfs === undefined ? {} : { lfs: { oid: lfs.sha256, size: lfs.size, pointerSize: pointerBytes(lfs.size) } }),
      ...(by === undefined
        ? {}
        : { lastCommit: { id: by.id, title: by.message.split('\n')[0], date: new Date(by.time * 1000).toISOString() } }),
    };
  });
}
