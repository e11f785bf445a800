import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../base/sha256.ts';
import { ZephyrError } from '../errors.ts';
import { type ArtifactRef, formatRepo, type RepoId } from '../model/artifact.ts';
import type { FileDigest } from '../model/content-digest.ts';
import { commit } from '../store/commit.ts';
import { pulledTag } from '../store/names.ts';
import { readCommit } from '../store/objects.ts';
import { prune } from '../store/prune.ts';
import { reclaim } from '../store/reclaim.ts';
import { createRef, deleteRef, listRefs, moveRef, type RefKind, resolveRevision } from '../store/refs.ts';
import { createRepo, deleteRepo, listRepos, readRepo } from '../store/repos.ts';
import { openStore, repoFolder, type Store } from '../store/store.ts';
import { findEntry, listEntries, type StoredEntry } from '../store/tree.ts';
import { giveBackUnfinished, giveUpWanted } from '../store/unfinished.ts';
import { differs, noCommit } from './damage.ts';
import { type CommitOutcome, type CommitRequest, type Hub, isUnder } from './hub.ts';
import { type At, checkedBytes, checkedLarge, layFromStore } from './local-snapshot.ts';
import { explainStop, Meter, type TransferOptions } from './transfer.ts';

/** The embedded Hub in this process: no server, and no byte of a large file is copied on the store's own disk. */
export async function openLocalHub(folder: string): Promise<Hub> {
  return localHub(await openStore(folder));
}

export function localHub(store: Store): Hub {
  return {
    name: store.root,
    runFolder: (repo, run) => join(repoFolder(store, repo), 'journals', run),
    list: () => listRepos(store),
    createRepo: async (repo) => {
      const outcome = await createRepo(store, repo);
      if (outcome === 'bad-name' || outcome === 'bad-path') throw badName('repo', repo.name);
      return outcome;
    },
    discardRepo: async (repo, first) => {
      await deleteRepo(store, repo, first);
    },
    deleteRepo: (repo) => deleteRepo(store, repo),
    deleteRef: (repo, kind, name) => deleteRef(store, repo, kind === 'branch' ? 'heads' : 'tags', name),
    refs: async (repo) => {
      if ((await readRepo(store, repo)) === undefined) return undefined;
      const at = repoFolder(store, repo);
      return { branches: await listRefs(at, 'heads'), tags: await listRefs(at, 'tags') };
    },
    resolve: async (ref) => {
      if ((await readRepo(store, ref)) === undefined) return undefined;
      const at = repoFolder(store, ref);
      // the commit may be that of another Hub: a tag names what was pulled from there
      return (await resolveRevision(at, ref.revision)) ?? (await resolveRevision(at, pulledTag(ref.revision)));
    },
    tree: async (ref) => (await filesOf(store, ref)).map(({ path, size, lfs }) => ({ path, size, sha256: lfs?.sha256 })),
    read: async (ref, path) => {
      const entry = await findEntry(store, repoFolder(store, ref), await treeOf(store, ref), path);
      if (entry?.kind !== 'file') return undefined;
      return entry.lfs === undefined ? checkedBytes({ store, ref }, entry) : readFile(await checkedLarge({ store, ref }, entry));
    },
    createBranch: (repo, branch, from) => addRef(store, { ...repo, commit: from }, 'heads', branch),
    createTag: (repo, tag, at) => addRef(store, { ...repo, commit: at }, 'tags', tag),
    moveTag: async (repo, tag, at) => {
      await moveRef(store, repo, { kind: 'tags', name: tag }, at);
    },
    commit: (request, options = {}) => stoppable(store, () => commitTo(store, request, options)),
    verify: (ref, files, { signal } = {}) => stoppable(store, () => verify({ store, ref, signal }, files)),
    prune: async (options) => {
      await giveUpWanted(store);
      return { ...(await prune(store, options)), unfinished: await giveBackUnfinished(store, options) };
    },
    reclaim: () => reclaim(store),
    materialise: (ref, cache, options = {}) =>
      stoppable(store, async () =>
        layFromStore({ store, ref }, (await filesOf(store, ref)).filter(isUnder(options.under)), cache, options),
      ),
  };
}

async function stoppable<T>(store: Store, work: () => Promise<T>): Promise<T> {
  return await work().catch((error: unknown) => {
    throw explainStop(store.root, error);
  });
}

async function verify(at: At, files: readonly FileDigest[]): Promise<void> {
  const { store, ref } = at;
  const entries = new Map((await filesOf(store, ref)).map((entry) => [entry.path, entry]));
  for (const { path, size, sha256: expected } of files) {
    const entry = entries.get(path);
    if (entry === undefined) throw differs(ref, path, `sha256 ${expected}`, 'no bytes in the commit');
    if (entry.size !== size) throw differs(ref, path, `${size} bytes`, `${entry.size} bytes`);
    const actual = entry.lfs?.sha256 ?? sha256(await checkedBytes(at, entry));
    if (actual !== expected) throw differs(ref, path, `sha256 ${expected}`, `sha256 ${actual}`);
    if (entry.lfs !== undefined) await checkedLarge(at, entry);
  }
}

async function treeOf(store: Store, ref: ArtifactRef): Promise<string> {
  const found = (await readRepo(store, ref)) === undefined ? undefined : await readCommit(repoFolder(store, ref), ref.commit);
  if (found === undefined) throw noCommit(ref);
  return found.tree;
}

async function filesOf(store: Store, ref: ArtifactRef): Promise<StoredEntry[]> {
  const entries = await listEntries(store, repoFolder(store, ref), await treeOf(store, ref), { recursive: true });
  return entries.filter(({ kind }) => kind === 'file');
}

async function addRef(store: Store, at: ArtifactRef, kind: RefKind, name: string): Promise<'created' | 'exists'> {
  await expectRepo(store, at);
  const outcome = await createRef(store, at, { kind, name }, at.commit);
  if (outcome === 'bad-name') throw badName(kind === 'heads' ? 'branch' : 'tag', name);
  if (outcome === 'no-commit') throw noCommit(at);
  return outcome;
}

async function commitTo(store: Store, request: CommitRequest, { signal, progress }: TransferOptions): Promise<CommitOutcome> {
  const { repo, branch, remove } = request;
  await expectRepo(store, repo);
  const meter = new Meter(progress === undefined ? 0 : await bytesOf(request), 0, progress);
  const outcome = await commit(
    store,
    { ...request, ...(remove === undefined || remove === 'all' ? {} : { remove: await present(store, request, remove) }) },
    { signal, taken: (path, bytes) => meter.moved(path, bytes) },
  );
  if (outcome.ok) return { ok: true, commit: outcome.commit };
  switch (outcome.reason) {
    case 'moved':
      return { ok: false, reason: 'moved' };
    case 'no-branch':
      throw new ZephyrError(`Cannot commit to "${formatRepo(repo)}", it has no branch "${branch}"`, { exit: 'preflight' });
    default:
      throw new ZephyrError(
        `Cannot commit "${outcome.path}" to "${formatRepo(repo)}", expected a relative path without ".." and ".git"`,
      );
  }
}

async function bytesOf({ add }: CommitRequest): Promise<number> {
  const sizes = add.map(async (addition) =>
    'file' in addition ? (await stat(addition.file)).size : Buffer.byteLength(addition.content),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Leaves out paths to remove that the commit does not have. */
async function present(store: Store, { repo, parent }: CommitRequest, paths: readonly string[]): Promise<string[]> {
  const at = repoFolder(store, repo);
  const tree = (await readCommit(at, parent))?.tree;
  const found = await Promise.all(
    paths.map(async (path) => tree !== undefined && (await findEntry(store, at, tree, path)) !== undefined),
  );
  return paths.filter((_, i) => found[i]);
}

async function expectRepo(store: Store, repo: RepoId): Promise<void> {
  if ((await readRepo(store, repo)) === undefined) {
    throw new ZephyrError(`Cannot find "${formatRepo(repo)}" in the Hub folder "${store.root}"`, { exit: 'preflight' });
  }
}

function badName(what: string, name: string): ZephyrError {
  return new ZephyrError(`Cannot create ${what} "${name}", expected a name as on the Hugging Face Hub`);
}
