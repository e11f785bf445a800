import { link, mkdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { ZephyrError } from '../errors.ts';
import { type ArtifactRef, type FloatingRef, formatRef, formatRepo, type RepoId } from '../model/artifact.ts';
import { pulledTag } from '../store/names.ts';
import { lfsFile, openStore, type Store } from '../store/store.ts';
import type { DownloadPlan, RemoteEntry } from './download-plan.ts';
import type { CommitRequest, Hub } from './hub.ts';
import { resolveRef } from './read-ref.ts';
import type { RemoteHub } from './remote-hub.ts';
import { PICKLED, selectFiles } from './select-files.ts';
import { blobsIn, repoIn } from './snapshot.ts';
import type { TransferOptions } from './transfer.ts';

export interface PullRequest {
  readonly from: RemoteHub;
  readonly to: Hub;
  readonly ref: FloatingRef;
  /** the repo to pull into */
  readonly as: RepoId;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Called with what the pull is about to fetch. */
  readonly begins: (pull: {
    readonly commit: string;
    readonly files: number;
    readonly bytes: number;
    readonly left: readonly RemoteEntry[];
  }) => void;
  /** Progress of the download, and the signal that stops it. */
  readonly transfer?: TransferOptions;
}

/** Bytes of the disk that a pull leaves free for other programs. */
const RESERVE = 64 * 2 ** 20;

/**
 * Brings a commit of another Hub into the embedded one, as one commit whose every byte was hashed. What came before a kill
 * is not fetched again. The tag `from-<commit>` names what came by the commit that it was there.
 */
export async function pull({
  from,
  to,
  ref,
  as,
  include,
  exclude,
  begins,
  transfer = {},
}: PullRequest): Promise<{ ref: ArtifactRef; isNew: boolean }> {
  const commit = await resolveRef(from, ref);
  if (commit === undefined) throw notThere(ref, from);
  const there: ArtifactRef = { type: ref.type, name: ref.name, commit };
  const { kept, left } = selectFiles(ref.type, await from.entries(there), { include, exclude });
  expectFiles(there, kept, left);
  const branch = await branchFor(to, as, ref.revision);
  const known = await to.resolve({ ...as, revision: pulledTag(commit) });
  if (known !== undefined && (await isHeld(to, { ...as, commit: known }, kept))) {
    const isNamed = isCommit(ref.revision) || (await to.resolve({ ...as, revision: branch })) === known;
    if (isNamed) return { ref: { ...as, commit: known }, isNew: false };
  }
  await expectPulled(to, as, branch);
  begins({ commit, files: kept.length, bytes: bytesOf(kept), left });

  const store = await openStore(to.name);
  const cache = join(store.root, 'pulls');
  const blobs = blobsIn(cache, ref);
  await mkdir(blobs, { recursive: true });
  await seed(store, kept, blobs);
  await expectSpace(there, await from.plan(ref, cache, kept));
  const { folder, files } = await from.bring(there, cache, kept, transfer);
  const add = files.map(({ path, sha256 }) => ({ path, file: join(folder, path), sha256 }));
  const came = await commitPulled(to, { repo: as, branch, add, message: `Pull ${formatRef(there)} from ${from.name}` });
  if ((await to.createTag(as, pulledTag(commit), came)) === 'exists') await to.moveTag(as, pulledTag(commit), came);
  await rm(repoIn(cache, ref), { recursive: true, force: true });
  return { ref: { ...as, commit: came }, isNew: true };
}

function isCommit(revision: string): boolean {
  return /^[0-9a-f]{7,40}$/.test(revision);
}

function bytesOf(files: readonly { readonly size: number }[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

function notThere(ref: FloatingRef, hub: Hub): ZephyrError {
  return new ZephyrError(`Cannot pull "${formatRef(ref)}", there is no such repo or revision at ${hub.name}`, {
    exit: 'preflight',
    hint: 'look at the name (models and datasets are told apart); a private or gated one needs a token in HF_TOKEN that may read it',
  });
}

function expectFiles(ref: ArtifactRef, kept: readonly RemoteEntry[], left: readonly RemoteEntry[]): void {
  const pickle = kept.find(({ path }) => PICKLED.test(path));
  if (pickle !== undefined) {
    throw new ZephyrError(`Cannot pull "${pickle.path}" of "${formatRef(ref)}", loading a pickle runs the code in it`, {
      hint: 'leave it out of --include',
    });
  }
  const hasWeights = kept.some(({ path }) => path.endsWith('.safetensors'));
  const weights = left.find(({ path }) => /\.(bin|pt|pth|ckpt)$/.test(path));
  if (kept.length > 0 && (ref.type === 'dataset' || hasWeights || weights === undefined)) return;
  if (kept.length > 0) {
    throw new ZephyrError(`Cannot pull "${formatRef(ref)}", its weights are pickles alone ("${weights?.path}")`, {
      hint: 'loading a pickle runs the code in it: look for a repo or a revision with safetensors',
    });
  }
  throw new ZephyrError(`Cannot pull "${formatRef(ref)}", none of its ${left.length} files is chosen`, {
    hint:
      left.length === 0
        ? 'the commit is empty'
        : `it has ${left
            .slice(0, 5)
            .map(({ path }) => path)
            .join(', ')}`,
  });
}

/** The branch to pull into: one of the revision's name; for a commit main if it is empty, else a branch of its own. */
async function branchFor(to: Hub, repo: RepoId, revision: string): Promise<string> {
  if (!isCommit(revision)) return revision.replace(/^refs\/(heads|tags)\//, '').replace(/^refs\//, '');
  return (await isEmpty(to, repo, 'main')) ? 'main' : `pull-${revision.slice(0, 12)}`;
}

async function isEmpty(to: Hub, repo: RepoId, branch: string): Promise<boolean> {
  const commit = await to.resolve({ ...repo, revision: branch });
  return commit === undefined || (await to.tree({ ...repo, commit })).length === 0;
}

/** Refuses a pull that would replace an artifact that the user has made or imported. */
async function expectPulled(to: Hub, repo: RepoId, branch: string): Promise<void> {
  const refs = await to.refs(repo);
  const head = refs?.branches[branch];
  if (head === undefined || (await isEmpty(to, repo, branch))) return;
  const isPulled = Object.entries(refs?.tags ?? {}).some(([tag, commit]) => tag.startsWith(pulledTag('')) && commit === head);
  if (isPulled) return;
  throw new ZephyrError(`Cannot pull into "${formatRepo(repo)}", its branch ${branch} holds what was not pulled`, {
    exit: 'conflict',
    hint: `pull it under another name: --as hf://${repo.type}s/ORG/NAME; or delete it first: zephyr hub rm ${formatRepo(repo)}`,
  });
}

async function isHeld(to: Hub, ref: ArtifactRef, kept: readonly RemoteEntry[]): Promise<boolean> {
  const tree = new Map((await to.tree(ref)).map((entry) => [entry.path, entry]));
  const isSame = ({ path, size, sha256 }: RemoteEntry): boolean => {
    const here = tree.get(path);
    return here?.size === size && (sha256 === undefined || here.sha256 === undefined || here.sha256 === sha256);
  };
  return tree.size === kept.length && kept.every(isSame);
}

/** Links files that the store already holds, for instance of another revision, so that they are hashed but not fetched. */
async function seed(store: Store, kept: readonly RemoteEntry[], blobs: string): Promise<void> {
  for (const { sha256, size } of kept) {
    if (sha256 === undefined) continue;
    const stored = await stat(lfsFile(store, sha256)).catch(() => undefined);
    if (stored?.size === size) await link(lfsFile(store, sha256), join(blobs, sha256)).catch(() => undefined);
  }
}

async function expectSpace(ref: ArtifactRef, { blobs, missing }: DownloadPlan): Promise<void> {
  const needed = RESERVE + missing;
  const { bavail, bsize } = await statfs(blobs);
  if (bavail * bsize >= needed) return;
  const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  throw new ZephyrError(
    `Cannot pull "${formatRef(ref)}", it needs ${gib(needed)} and the disk of "${blobs}" has ${gib(bavail * bsize)} left`,
    {
      exit: 'temporary',
      hint: 'free some space (zephyr hub prune says what nothing needs), or name a folder on another disk in ZEPHYR_HOME',
    },
  );
}

async function commitPulled(to: Hub, request: Omit<CommitRequest, 'parent' | 'remove'>): Promise<string> {
  const { repo, branch } = request;
  const isNew = (await to.createRepo(repo)) === 'created';
  const main = await to.resolve({ ...repo, revision: 'main' });
  if (main === undefined)
    throw new ZephyrError(`Cannot pull into "${formatRepo(repo)}", it has no branch "main"`, { exit: 'preflight' });
  try {
    if (branch !== 'main') await to.createBranch(repo, branch, main);
    const parent = (await to.resolve({ ...repo, revision: branch })) ?? main;
    const outcome = await to.commit({ ...request, parent, remove: 'all' });
    if (outcome.ok) return outcome.commit;
  } catch (error) {
    if (isNew) await to.discardRepo(repo, main).catch(() => undefined);
    throw error;
  }
  throw new ZephyrError(`Cannot pull into "${formatRepo(repo)}", somebody else commits to it`, {
    exit: 'conflict',
    hint: 'run the command again when the other one is done; what came is kept',
  });
}
