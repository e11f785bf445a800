import { readFileSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { syncFolder } from '../base/atomic-write.ts';
import type { RepoId } from '../model/artifact.ts';
import { markDropped } from './dropped.ts';
import { placeDurably } from './durable.ts';
import { holdAll, largeOfTree } from './held.ts';
import { holderOf } from './holders.ts';
import { withLock } from './lock.ts';
import { isRefName } from './names.ts';
import { objectsOf, readCommit } from './objects.ts';
import { repoFolder, repoLock, type Store } from './store.ts';

export type RefKind = 'heads' | 'tags';

/** The commit that a branch or a tag names. */
export async function readRef(repo: string, kind: RefKind, name: string): Promise<string | undefined> {
  if (!isRefName(name)) return undefined;
  try {
    // forty digits: reading them at once takes less time than handing that to a thread
    return readFileSync(join(repo, 'refs', kind, name), 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EISDIR' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** A branch or a tag. */
export interface RefName {
  readonly kind: RefKind;
  readonly name: string;
}

/** Moves a reference, durably. The caller holds the repo's lock. */
export async function writeRef(store: Store, repo: string, { kind, name }: RefName, commit: string): Promise<void> {
  await placeDurably(store, join(repo, 'refs', kind, name), `${commit}\n`);
}

/** All branches or all tags, sorted by name. */
export async function listRefs(repo: string, kind: RefKind): Promise<Record<string, string>> {
  const folder = join(repo, 'refs', kind);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  const found: Record<string, string> = {};
  for (const name of names.sort()) {
    const commit = await readRef(repo, kind, name);
    if (commit !== undefined) found[name] = commit;
  }
  return found;
}

type RefOutcome = 'created' | 'exists' | 'bad-name' | 'no-commit';

/** Creates a branch or a tag at a commit; `exists` also when a name on its path is taken (`a` and `a/b`). */
export async function createRef(store: Store, id: RepoId, ref: RefName, commit: string): Promise<RefOutcome> {
  const { kind, name } = ref;
  if (!isRefName(name)) return 'bad-name';
  const repo = repoFolder(store, id);
  return withLock(repoLock(store, id), async () => {
    if ((await readCommit(repo, commit)) === undefined) return 'no-commit';
    const taken = Object.keys(await listRefs(repo, kind));
    if (taken.some((other) => other === name || other.startsWith(`${name}/`) || name.startsWith(`${other}/`))) return 'exists';
    await leadTo(store, id, ref, commit);
    return 'created';
  });
}

/** Puts a reference elsewhere; with `from` only while it is still there. */
export async function moveRef(
  store: Store,
  id: RepoId,
  ref: RefName & { readonly from?: string | undefined },
  commit: string,
): Promise<boolean> {
  const repo = repoFolder(store, id);
  return withLock(repoLock(store, id), async () => {
    if (ref.from !== undefined && (await readRef(repo, ref.kind, ref.name)) !== ref.from) return false;
    await leadTo(store, id, ref, commit);
    return true;
  });
}

/** The caller holds the repo's lock. */
async function leadTo(store: Store, id: RepoId, ref: RefName, commit: string): Promise<void> {
  const repo = repoFolder(store, id);
  const holder = holderOf(id, ref.kind, ref.name);
  if (holder.run !== undefined || !(await leadsThere(repo, id, commit))) await holdAll(store, repo, holder, commit);
  await writeRef(store, repo, ref, commit);
}

/** Whether a tag or a branch that is no run's names the commit: what it leads to is entered as held then. */
async function leadsThere(repo: string, id: RepoId, commit: string): Promise<boolean> {
  if ((await readRef(repo, 'heads', 'main')) === commit) return true;
  if (Object.values(await listRefs(repo, 'tags')).includes(commit)) return true;
  const heads = Object.entries(await listRefs(repo, 'heads'));
  return heads.some(([name, head]) => head === commit && holderOf(id, 'heads', name).run === undefined);
}

/** Removes a branch or a tag; `false` when there was none. Its commits stay readable by their ids. */
export async function deleteRef(store: Store, id: RepoId, kind: RefKind, name: string): Promise<boolean> {
  const repo = repoFolder(store, id);
  return withLock(repoLock(store, id), async () => {
    if ((await readRef(repo, kind, name)) === undefined) return false;
    if (holderOf(id, kind, name).run !== undefined) await markHead(store, repo, name);
    const path = join(repo, 'refs', kind, name);
    await rm(path);
    await syncFolder(dirname(path));
    const root = join(repo, 'refs', kind);
    // an empty folder would keep a branch from getting its name
    for (let folder = dirname(path); folder !== root; folder = dirname(folder)) {
      if (
        !(await rmdir(folder).then(
          () => true,
          () => false,
        ))
      )
        break;
    }
    return true;
  });
}

async function markHead(store: Store, repo: string, run: string): Promise<void> {
  const head = await readRef(repo, 'heads', run);
  const tree = head === undefined ? undefined : (await readCommit(repo, head).catch(() => undefined))?.tree;
  const large = tree === undefined ? [] : await largeOfTree(store, repo, tree).catch(() => []);
  for (const sha256 of large) await markDropped(store, sha256);
}

/** The commit of a branch of this name, else of a tag. */
export async function readBranchOrTag(repo: string, name: string): Promise<string | undefined> {
  return (await readRef(repo, 'heads', name)) ?? (await readRef(repo, 'tags', name));
}

/** What a revision names: `HEAD` is main; then a branch, a tag, a commit id, or seven digits of one and more. */
export async function resolveRevision(repo: string, revision: string): Promise<string | undefined> {
  const name = revision === 'HEAD' ? 'main' : revision.replace(/^refs\/(heads|tags)\//, '');
  const ref = await readBranchOrTag(repo, name);
  if (ref !== undefined) return ref;
  if (/^[0-9a-f]{40}$/.test(revision)) return (await readCommit(repo, revision)) === undefined ? undefined : revision;
  return /^[0-9a-f]{7,39}$/.test(revision) ? commitOfDigits(repo, revision) : undefined;
}

/** The one commit whose id begins so; `undefined` where there is none, or more than one. */
async function commitOfDigits(repo: string, digits: string): Promise<string | undefined> {
  const ids = (await objectsOf(repo, digits.slice(0, 2))).filter((id) => id.startsWith(digits));
  const found = await Promise.all(ids.map(async (id) => ((await readCommit(repo, id)) === undefined ? [] : [id])));
  const commits = found.flat();
  return commits.length === 1 ? commits[0] : undefined;
}
