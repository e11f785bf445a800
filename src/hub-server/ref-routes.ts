import * as z from 'zod';
import { encodeCommit } from '../store/git-object.ts';
import { countHistory, history } from '../store/history.ts';
import { readCommit, syncTouched, writeObject } from '../store/objects.ts';
import { createRef, deleteRef, listRefs, moveRef, type RefKind, readRef, resolveRevision } from '../store/refs.ts';
import { AUTHOR } from '../store/repos.ts';
import { writeTree } from '../store/tree.ts';
import { readJson } from './body.ts';
import { type Exchange, HttpError, sendJson, sendNothing } from './exchange.ts';
import { decodeSegments, type Found, splitRevision } from './revision.ts';

export async function refs(exchange: Exchange, { folder }: Found): Promise<void> {
  const list = async (kind: RefKind): Promise<unknown[]> =>
    Object.entries(await listRefs(folder, kind)).map(([name, targetCommit]) => ({
      name,
      ref: `refs/${kind}/${name}`,
      targetCommit,
    }));
  sendJson(exchange, 200, { branches: await list('heads'), converts: [], tags: await list('tags'), pullRequests: [] });
}

function answer(outcome: Awaited<ReturnType<typeof createRef>>, what: string, name: string): void {
  if (outcome === 'exists')
    throw new HttpError(409, `Reference refs/${what === 'branch' ? 'heads' : 'tags'}/${name} already exists`);
  if (outcome === 'bad-name') throw new HttpError(400, `Invalid ${what} name "${name}"`);
  if (outcome === 'no-commit') throw new HttpError(404, 'Invalid rev id', { code: 'RevisionNotFound' });
}

export async function createBranch(exchange: Exchange, repo: Found, raw: string): Promise<void> {
  const branch = decodeSegments(raw).join('/');
  const shape = z.object({
    startingPoint: z.string().nullish(),
    emptyBranch: z.boolean().nullish(),
    overwrite: z.boolean().nullish(),
  });
  const { startingPoint, emptyBranch, overwrite } = await readJson(exchange, shape);
  const isEmpty = emptyBranch === true;
  const commit = isEmpty ? await emptyCommit(exchange, repo) : await resolveRevision(repo.folder, startingPoint ?? 'main');
  if (commit === undefined) throw new HttpError(404, `Invalid rev id: ${startingPoint}`, { code: 'RevisionNotFound' });
  const outcome = await createRef(exchange.store, repo.id, { kind: 'heads', name: branch }, commit);
  if (outcome === 'exists' && overwrite === true && (await readRef(repo.folder, 'heads', branch)) !== undefined) {
    if (startingPoint != null || isEmpty) await moveRef(exchange.store, repo.id, { kind: 'heads', name: branch }, commit);
  } else answer(outcome, 'branch', branch);
  sendNothing(exchange, 201);
}

/** Makes the first commit of a branch that shares no history with the others. */
async function emptyCommit({ store }: Exchange, { folder }: Found): Promise<string> {
  const touched = new Set<string>();
  const tree = await writeTree(store, folder, new Map(), touched);
  const first = { tree, parents: [], author: AUTHOR, time: Math.floor(Date.now() / 1000), message: 'initial commit\n' };
  const commit = await writeObject(store, folder, { kind: 'commit', content: encodeCommit(first) }, touched);
  await syncTouched(touched);
  return commit;
}

export async function deleteBranch(exchange: Exchange, repo: Found, raw: string): Promise<void> {
  const branch = decodeSegments(raw).join('/');
  if (branch === 'main') throw new HttpError(403, 'Cannot delete refs/heads/main');
  if (!(await deleteRef(exchange.store, repo.id, 'heads', branch)))
    throw new HttpError(404, `Invalid rev id: ${branch}`, { code: 'RevisionNotFound' });
  sendNothing(exchange, 204);
}

/** Creates a tag: the address names its target, the body its name. */
export async function createTag(exchange: Exchange, repo: Found, raw: string): Promise<void> {
  const { commit } = await splitRevision(repo, raw);
  const { tag } = await readJson(exchange, z.object({ tag: z.string() }));
  answer(await createRef(exchange.store, repo.id, { kind: 'tags', name: tag }, commit), 'tag', tag);
  sendNothing(exchange, 201);
}

export async function deleteTag(exchange: Exchange, repo: Found, raw: string): Promise<void> {
  const tag = decodeSegments(raw).join('/');
  if (!(await deleteRef(exchange.store, repo.id, 'tags', tag)))
    throw new HttpError(404, `Invalid rev id: ${tag}`, { code: 'RevisionNotFound' });
  sendNothing(exchange, 204);
}

/**
 * A page of commits, newest first. The address of the next page names the commit that it begins with, so that a page costs
 * what it shows, and goes on where it was although the branch has moved.
 */
export async function commits(exchange: Exchange, repo: Found, raw: string): Promise<void> {
  const { store, query, origin, path, user } = exchange;
  const { commit } = await splitRevision(repo, raw);
  const limit = Math.min(Math.max(Number(query.get('limit') ?? 50) || 50, 1), 1000);
  const page = Math.max(Number(query.get('p') ?? 0) || 0, 0);
  const cursor = query.get('cursor');
  let skip = cursor === null ? page * limit : 0;
  const shown: unknown[] = [];
  let following: string | undefined;
  for await (const { id, message, time, parents } of history(repo.folder, cursor ?? commit)) {
    if (skip > 0) {
      skip -= 1;
      continue;
    }
    const [title = '', ...rest] = message.trimEnd().split('\n');
    const authors = [{ user, avatar: '' }];
    shown.push({ id, title, message: rest.join('\n').trim(), authors, date: new Date(time * 1000).toISOString() });
    if (shown.length < limit) continue;
    following = parents[0];
    break;
  }
  const headers: Record<string, string> = { 'X-Total-Count': String(await countHistory(store, repo.folder, commit)) };
  if (following !== undefined) {
    const next = new URLSearchParams(query);
    next.set('p', String(page + 1));
    next.set('cursor', following);
    headers.Link = `<${origin}${path}?${next}>; rel="next"`;
  }
  sendJson(exchange, 200, shown, headers);
}

/** Replaces a branch by one commit without history. The commits that tags and other branches name stay. */
export async function squash(exchange: Exchange, repo: Found, raw: string): Promise<void> {
  const branch = decodeSegments(raw).join('/');
  const head = await readRef(repo.folder, 'heads', branch);
  const before = head === undefined ? undefined : await readCommit(repo.folder, head);
  if (before === undefined) throw new HttpError(404, `No branch "${branch}"`, { code: 'RevisionNotFound' });
  const { message } = await readJson(exchange, z.object({ message: z.string().nullish() }));
  const touched = new Set<string>();
  const content = {
    tree: before.tree,
    parents: [],
    author: AUTHOR,
    time: Math.floor(Date.now() / 1000),
    message: `${message ?? `Squash ${branch}`}\n`,
  };
  const commit = await writeObject(exchange.store, repo.folder, { kind: 'commit', content: encodeCommit(content) }, touched);
  await syncTouched(touched);
  if (!(await moveRef(exchange.store, repo.id, { kind: 'heads', name: branch, from: head }, commit)))
    throw new HttpError(412, 'A commit has happened since');
  sendJson(exchange, 200, {});
}
