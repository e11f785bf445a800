import * as z from 'zod';

/** What the Hub keeps: a model repo or a dataset repo. */
export const repoType = z.enum(['model', 'dataset']);
export type RepoType = z.infer<typeof repoType>;

/** Hub rule for one part of "namespace/name": letters, digits, `-`, `_`, `.`; no `--`, no `..`, at most 96 characters in all. */
const NAME = /^(?!.*(--|\.\.))[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;
export const repoName = z.string().max(96).regex(NAME, 'expected NAMESPACE/NAME as on the Hugging Face Hub');

export const commitId = z.string().regex(/^[0-9a-f]{40}$/, 'expected a commit of 40 hex digits');
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, 'expected a sha256 of 64 hex digits');

export interface RepoId {
  readonly type: RepoType;
  /** `namespace/name` */
  readonly name: string;
}

/** What a recipe or a user may say: a branch, a tag, a run id, a commit, or nothing (the main branch). */
export interface FloatingRef extends RepoId {
  readonly revision: string;
}

/** A repo at a commit: the only thing that stages pass to one another. */
export interface ArtifactRef extends RepoId {
  /** 40 hex digits */
  readonly commit: string;
}

const REF = /^hf:\/\/(models|datasets)\/([^/@\s]+\/[^/@\s]+)(?:@([^\s@]+))?$/;
const URL_REF = /^https?:\/\/[^/]+\/(datasets\/)?([^/@\s]+\/[^/@\s]+?)(?:\/(?:tree|commit)\/([^\s@?#]+?))?\/?$/;

/** Reads `hf://models/ORG/NAME[@REV]`, `hf://datasets/ORG/NAME[@REV]` or a Hub address; `undefined` when it is neither. */
export function parseRef(text: string): FloatingRef | undefined {
  const ref = REF.exec(text);
  const url = ref === null ? URL_REF.exec(text) : null;
  const isDataset = ref !== null ? ref[1] === 'datasets' : url?.[1] !== undefined;
  const [name, revision] = ref !== null ? [ref[2], ref[3]] : [url?.[2], url?.[3]];
  if (name === undefined || !repoName.safeParse(name).success) return undefined;
  return { type: isDataset ? 'dataset' : 'model', name, revision: revision ?? 'main' };
}

/** `hf://models/ORG/NAME@<commit>` or `hf://datasets/ORG/NAME@<commit>`; of a floating reference, with its revision. */
export function formatRef(ref: ArtifactRef | FloatingRef): string {
  return `${formatRepo(ref)}@${'commit' in ref ? ref.commit : ref.revision}`;
}

/** `hf://models/ORG/NAME` or `hf://datasets/ORG/NAME` */
export function formatRepo(repo: RepoId): string {
  return `hf://${repo.type}s/${repo.name}`;
}

export function sameRepo(a: RepoId, b: RepoId): boolean {
  return a.type === b.type && a.name === b.name;
}
