import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RepoId } from '../model/artifact.ts';
import { placeDurably } from './durable.ts';
import { isRepoName } from './names.ts';
import type { Store } from './store.ts';

/** Renames of one repo that `otherNames` follows at most: a longer chain must be a circle. */
const MAX_RENAMES = 10;

function fileOf(store: Store, { type, name }: RepoId): string {
  return join(store.root, 'renames', `${type}s--${name.replace('/', '--')}`);
}

/** Remembers that a repo has got another name: links to the old one go on to lead to it. */
export async function rememberRename(store: Store, from: RepoId, to: RepoId): Promise<void> {
  await placeDurably(store, fileOf(store, from), to.name);
}

/**
 * The repo that a caller may mean by a name that no repo has: one that was renamed from it, else one whose name differs in
 * capitals only.
 */
export async function otherNames(store: Store, id: RepoId): Promise<RepoId[]> {
  if (!isRepoName(id.name)) return [];
  const found: RepoId[] = [];
  let at = id;
  for (let i = 0; i < MAX_RENAMES; i += 1) {
    const name = (await readFile(fileOf(store, at), 'utf8').catch(() => '')).trim();
    if (!isRepoName(name)) break;
    at = { type: id.type, name };
    found.unshift(at);
  }
  const [space = '', own = ''] = id.name.split('/');
  const root = join(store.root, 'repos', `${id.type}s`);
  for (const folder of await like(root, space))
    for (const name of await like(join(root, folder), own)) found.push({ type: id.type, name: `${folder}/${name}` });
  return found;
}

async function like(folder: string, name: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((each) => each.toLowerCase() === name.toLowerCase());
}
