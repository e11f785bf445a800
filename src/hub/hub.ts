import type { ArtifactRef, FloatingRef, RepoId } from '../model/artifact.ts';
import type { FileDigest } from '../model/content-digest.ts';
import type { Pruned } from '../store/prune.ts';
import type { Unfinished } from '../store/unfinished.ts';
import type { TransferOptions } from './transfer.ts';

export interface TreeEntry {
  readonly path: string;
  /** bytes */
  readonly size: number;
  /** sha256 of a file that the Hub keeps as a large file; of a small one it is not known without reading it */
  readonly sha256: string | undefined;
}

export interface Refs {
  readonly branches: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
}

/** `file` is taken in by hard link where Hub and file share a disk, and must not be written to any more. */
export type Addition =
  | { readonly path: string; readonly content: string | Uint8Array }
  | { readonly path: string; readonly file: string; readonly sha256?: string };

export interface CommitRequest {
  readonly repo: RepoId;
  readonly branch: string;
  /** The head that the caller decided on (compare-and-swap). */
  readonly parent: string;
  readonly message: string;
  readonly add: readonly Addition[];
  /** Paths to remove; `all` leaves nothing but what is added. */
  readonly remove?: readonly string[] | 'all';
}

export type CommitOutcome =
  | { readonly ok: true; readonly commit: string }
  /** The branch moved: read it again, decide again. */
  | { readonly ok: false; readonly reason: 'moved' };

/** A Hugging Face Hub as zephyr needs it: the embedded one in this process, or any other over HTTP. */
export interface Hub {
  /** The folder or the address of the Hub, for messages. */
  readonly name: string;
  /** The folder on the Hub's own disk for a run's logs (calls, events), where Hub and zephyr share a disk. */
  runFolder(repo: RepoId, run: string): string | undefined;
  list(): Promise<readonly RepoId[]>;
  /** Creates a private repo with an empty first commit on `main`; an existing one is left alone. */
  createRepo(repo: RepoId): Promise<'created' | 'exists'>;
  /** Takes the creation back, if nothing but that first commit is there; a Hub may do nothing. */
  discardRepo(repo: RepoId, first: string): Promise<void>;
  /** Deletes a repo with all of its history; `false` where there was none. */
  deleteRepo(repo: RepoId): Promise<boolean>;
  /** Deletes a branch other than main, or a tag; `false` where there was none. */
  deleteRef(repo: RepoId, kind: 'branch' | 'tag', name: string): Promise<boolean>;
  /** `undefined` when there is no such repo (or the token may not see it). */
  refs(repo: RepoId): Promise<Refs | undefined>;
  /** The commit that a branch, a tag or a commit names; `undefined` when there is none. */
  resolve(ref: FloatingRef): Promise<string | undefined>;
  /** All files of the commit, recursively, sorted by path. */
  tree(ref: ArtifactRef): Promise<readonly TreeEntry[]>;
  /** One file's bytes; `undefined` when the commit has no such file. For small files. */
  read(ref: ArtifactRef, path: string): Promise<Uint8Array | undefined>;
  createBranch(repo: RepoId, branch: string, from: string): Promise<'created' | 'exists'>;
  createTag(repo: RepoId, tag: string, commit: string): Promise<'created' | 'exists'>;
  /** Has an existing tag name another commit. */
  moveTag(repo: RepoId, tag: string, commit: string): Promise<void>;
  /** All of it or nothing. Stopped before the commit itself is sent, it leaves no trace but files that another one finds there. */
  commit(request: CommitRequest, options?: TransferOptions): Promise<CommitOutcome>;
  /**
   * Makes sure that the commit still holds these bytes, before it is used again: where Hub and zephyr share a disk every
   * byte is hashed, elsewhere the Hub's own record of sizes and hashes is compared. Throws a `ZephyrError` that names the
   * first file that differs.
   */
  verify(ref: ArtifactRef, files: readonly FileDigest[], options?: Pick<TransferOptions, 'signal'>): Promise<void>;
  /**
   * Gives back the space of large files that no branch and no tag of any repo leads to any more; `dry` only counts. A Hub
   * that keeps its own house does nothing and answers `undefined`.
   */
  prune(options?: { readonly dry?: boolean }): Promise<(Pruned & { readonly unfinished: Unfinished }) | undefined>;
  /** Prunes only what runs and deleted repos have dropped since the last time, in a time that grows with what was dropped. */
  reclaim(): Promise<Pruned | undefined>;
  /**
   * Lays the commit out under `cache` the way huggingface_hub does (`models--ORG--NAME/snapshots/<commit>/...`, relative
   * links into `blobs/`), by hard link where it can, and hashes every byte on the way. Returns the snapshot folder and
   * what was read. With `under`, only the files below that folder of the repo. Throws a `ZephyrError` when a file's hash
   * is not the one that the commit records. What came of it before it was stopped or killed is not fetched again.
   */
  materialise(
    ref: ArtifactRef,
    cache: string,
    options?: TransferOptions & { readonly under?: string },
  ): Promise<{ readonly folder: string; readonly files: readonly FileDigest[] }>;
}

/** Whether a file lies below a folder of the repo; every file does where none is named. */
export function isUnder(folder: string | undefined): (file: { readonly path: string }) => boolean {
  return ({ path }) => folder === undefined || path.startsWith(`${folder}/`);
}
