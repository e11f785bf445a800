import { createBranch, createRepo, listDatasets, listFiles, listModels, whoAmI } from '@huggingface/hub';
import * as z from 'zod';
import { ZephyrError } from '../errors.ts';
import { type ArtifactRef, type FloatingRef, formatRef, formatRepo, type RepoId } from '../model/artifact.ts';
import type { FileDigest } from '../model/content-digest.ts';
import { differs, noCommit } from './damage.ts';
import { downloadFiles } from './download-files.ts';
import { type DownloadPlan, etagOf, planDownload, type RemoteEntry } from './download-plan.ts';
import { type CommitOutcome, type CommitRequest, type Hub, isUnder, type Refs, type TreeEntry } from './hub.ts';
import { apiPath, ask, explain, type Question, type Remote, refusal, sendPatiently, statusOf } from './hub-request.ts';
import { commitRemotely } from './remote-commit.ts';
import { readRemote } from './remote-file.ts';
import { RetryPolicy, type RetryPolicyOptions } from './retry-policy.ts';
import { blobsIn, laySnapshot } from './snapshot.ts';
import { explainStop, type TransferOptions } from './transfer.ts';

export interface RemoteHubOptions extends RetryPolicyOptions {
  /** Address of the Hub, for instance that of a `zephyr hub serve`. */
  readonly url: string;
  /** undefined: the client reads only what is public */
  readonly token: string | undefined;
  readonly fetch?: typeof fetch;
  /** A folder for what is known of unfinished uploads, so that another process goes on with them. */
  readonly uploads?: string;
  /** A folder for files of unfinished downloads, so that another process goes on with them wherever its snapshots lie. */
  readonly downloads?: string;
  /** Bytes of the ranges in which a large file is asked for. */
  readonly rangeBytes?: number;
}

/** Bytes: large enough that asking costs nothing beside the transfer, small enough that a model in one file has many. */
const RANGE_BYTES = 64 << 20;

const listedRefs = z.object({
  branches: z.array(z.object({ name: z.string(), targetCommit: z.string() })),
  tags: z.array(z.object({ name: z.string(), targetCommit: z.string() })),
});

/** Any Hub over HTTP, by way of its client library and, for what that lacks (tags, lists of references), of plain requests. */
export class RemoteHub implements Hub {
  readonly name: string;
  readonly #remote: Remote;
  /** what the client library takes with every call */
  readonly #common: { readonly hubUrl: string; readonly fetch: typeof fetch; readonly accessToken?: string };

  constructor(options: RemoteHubOptions) {
    const { token, fetch: plain = fetch, uploads, downloads, rangeBytes = RANGE_BYTES } = options;
    const url = options.url.replace(/\/+$/, '');
    const retries = new RetryPolicy({ ...options, url });
    const patiently: typeof fetch = (input, init) =>
      sendPatiently({ plain, retries }, { address: String(input), ...(init === undefined ? {} : { init }) });
    this.name = url;
    this.#remote = { url, token, fetch: patiently, plain, retries, uploads, downloads, rangeBytes };
    this.#common = { hubUrl: url, ...(token === undefined ? {} : { accessToken: token }), fetch: patiently };
  }

  runFolder(): undefined {
    return undefined;
  }

  async list(): Promise<RepoId[]> {
    const { token, url } = this.#remote;
    if (token === undefined)
      throw new ZephyrError(`Cannot list the repos on ${url}: no token says whose`, { exit: 'preflight', hint: 'set HF_TOKEN' });
    try {
      const { name, orgs = [] } = (await whoAmI({ ...this.#common, accessToken: token })) as WhoAmI;
      const owners = [name, ...orgs.map((org) => org.name)];
      return [...(await this.#listOf('model', owners)), ...(await this.#listOf('dataset', owners))];
    } catch (error) {
      throw explain(this.#remote, 'list repos', error);
    }
  }

  async #listOf(type: RepoId['type'], owners: readonly string[]): Promise<RepoId[]> {
    const found: RepoId[] = [];
    for (const owner of owners) {
      const asked = { ...this.#common, search: { owner } };
      const listed = type === 'model' ? listModels(asked) : listDatasets(asked);
      for await (const repo of listed) found.push({ type, name: repo.name });
    }
    return found;
  }

  async createRepo(repo: RepoId): Promise<'created' | 'exists'> {
    // the first commit is empty where the Hub allows it, as in the embedded Hub
    return await this.#creating(`create "${formatRepo(repo)}"`, () =>
      createRepo({ ...this.#common, repo: repoOf(repo), visibility: 'private', files: [] }),
    );
  }

  /** Does nothing: a Hub over HTTP cannot be told to delete a repo only while it is empty. */
  async discardRepo(): Promise<void> {}

  async refs(repo: RepoId): Promise<Refs | undefined> {
    const action = `read "${formatRepo(repo)}"`;
    const response = await ask(this.#remote, action, { method: 'GET', path: `${apiPath(repo)}/refs` });
    // the real Hub says 401 of a repo that is not there
    if (response.status === 404 || (response.status === 401 && response.headers.get('X-Error-Code') === 'RepoNotFound'))
      return undefined;
    if (!response.ok) throw await refusal(this.#remote, action, response);
    const { branches, tags } = listedRefs.parse(await response.json());
    const byName = (list: typeof branches): Record<string, string> =>
      Object.fromEntries(list.map(({ name, targetCommit }) => [name, targetCommit]));
    return { branches: byName(branches), tags: byName(tags) };
  }

  async resolve({ revision, ...repo }: FloatingRef): Promise<string | undefined> {
    const known = await this.refs(repo);
    const named = known?.branches[revision] ?? known?.tags[revision];
    // the answer lists all branches and tags, so only a commit can be missing there
    if (known === undefined || named !== undefined || !/^(refs\/.+|[0-9a-f]{7,40})$/.test(revision)) return named;
    const action = `read "${formatRepo(repo)}"`;
    const path = `${apiPath(repo)}/revision/${encodeURIComponent(revision)}`;
    const response = await ask(this.#remote, action, { method: 'GET', path });
    if (response.status === 404) return undefined;
    if (!response.ok) throw await refusal(this.#remote, action, response);
    return z.object({ sha: z.string() }).parse(await response.json()).sha;
  }

  async tree(ref: ArtifactRef): Promise<TreeEntry[]> {
    return (await this.entries(ref)).map(({ path, size, sha256 }) => ({ path, size, sha256 }));
  }

  /** All files of the commit with their git ids, sorted by path. */
  async entries(ref: ArtifactRef): Promise<RemoteEntry[]> {
    const found: RemoteEntry[] = [];
    const listed = { ...this.#common, repo: repoOf(ref), revision: ref.commit, recursive: true };
    try {
      for await (const { type, path, size, oid, lfs } of listFiles(listed)) {
        if (type === 'file') found.push({ path, size, oid: oid ?? '', sha256: lfs?.oid });
      }
    } catch (error) {
      throw statusOf(error) === 404 ? noCommit(ref) : explain(this.#remote, `list "${formatRef(ref)}"`, error);
    }
    return found.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async read(ref: ArtifactRef, path: string): Promise<Uint8Array | undefined> {
    return await readRemote(this.#remote, ref, path);
  }

  async createBranch(repo: RepoId, branch: string, from: string): Promise<'created' | 'exists'> {
    return await this.#creating(`create branch "${branch}" of "${formatRepo(repo)}"`, () =>
      createBranch({ ...this.#common, repo: repoOf(repo), branch, revision: from }),
    );
  }

  async #creating(action: string, create: () => Promise<unknown>): Promise<'created' | 'exists'> {
    try {
      await create();
      return 'created';
    } catch (error) {
      if (statusOf(error) === 409) return 'exists';
      throw explain(this.#remote, action, error);
    }
  }

  async createTag(repo: RepoId, tag: string, commit: string): Promise<'created' | 'exists'> {
    const action = `create tag "${tag}" of "${formatRepo(repo)}"`;
    const path = `${apiPath(repo)}/tag/${commit}`;
    const response = await ask(this.#remote, action, { method: 'POST', path, body: { tag } });
    if (response.status === 409) return 'exists';
    if (!response.ok) throw await refusal(this.#remote, action, response);
    return 'created';
  }

  async moveTag(repo: RepoId, tag: string, commit: string): Promise<void> {
    // the tag is gone already if an earlier try deleted it and its answer was lost
    await this.#delete(`move tag "${tag}" of "${formatRepo(repo)}"`, `${apiPath(repo)}/tag/${encodeURIComponent(tag)}`);
    await this.createTag(repo, tag, commit);
  }

  async deleteRepo(repo: RepoId): Promise<boolean> {
    const [organization, name] = repo.name.split('/');
    return await this.#delete(`delete "${formatRepo(repo)}"`, '/api/repos/delete', { name, organization, type: repo.type });
  }

  async deleteRef(repo: RepoId, kind: 'branch' | 'tag', name: string): Promise<boolean> {
    const action = `delete ${kind} "${name}" of "${formatRepo(repo)}"`;
    return await this.#delete(action, `${apiPath(repo)}/${kind}/${encodeURIComponent(name)}`);
  }

  /** `false` where there was nothing to delete. */
  async #delete(action: string, path: string, body?: Question['body']): Promise<boolean> {
    const response = await ask(this.#remote, action, { method: 'DELETE', path, body });
    if (response.ok) return true;
    if (response.status === 404) return false;
    throw await refusal(this.#remote, action, response);
  }

  async commit(request: CommitRequest, options: TransferOptions = {}): Promise<CommitOutcome> {
    try {
      // asks for the head first: the files to remove are read at the parent, which may be gone with its branch
      return await commitRemotely(this.#remote, request, await this.#removals(request), options);
    } catch (error) {
      throw explainStop(this.name, error);
    }
  }

  async #removals({ repo, parent, add, remove = [] }: CommitRequest): Promise<string[]> {
    if (remove.length === 0) return [];
    const added = new Set(add.map(({ path }) => path));
    const there = (await this.entries({ ...repoOf(repo), commit: parent }))
      .map(({ path }) => path)
      .filter((path) => !added.has(path));
    if (remove === 'all') return there;
    return there.filter((path) => remove.some((doomed) => path === doomed || path.startsWith(`${doomed}/`)));
  }

  async verify(ref: ArtifactRef, files: readonly FileDigest[]): Promise<void> {
    const recorded = new Map((await this.entries(ref)).map((entry) => [entry.path, entry]));
    for (const { path, size, sha256 } of files) {
      const entry = recorded.get(path);
      if (entry === undefined) throw differs(ref, path, `sha256 ${sha256}`, 'no bytes in the commit');
      if (entry.size !== size) throw differs(ref, path, `${size} bytes`, `${entry.size} bytes`);
      if (entry.sha256 !== undefined && entry.sha256 !== sha256)
        throw differs(ref, path, `sha256 ${sha256}`, `sha256 ${entry.sha256}`);
    }
  }

  async prune(): Promise<undefined> {}

  async reclaim(): Promise<undefined> {}

  async materialise(ref: ArtifactRef, cache: string, options: TransferOptions & { readonly under?: string } = {}): Promise<Laid> {
    const files = (await this.entries(ref)).filter(isUnder(options.under));
    return await this.#lay(ref, files, { cache, downloads: this.#remote.downloads }, options);
  }

  /** Materialises only these files, in a cache that the caller keeps until all of them are there. */
  async bring(ref: ArtifactRef, cache: string, files: readonly RemoteEntry[], options: TransferOptions = {}): Promise<Laid> {
    return await this.#lay(ref, files, { cache, downloads: undefined }, options);
  }

  async #lay(
    ref: ArtifactRef,
    files: readonly RemoteEntry[],
    { cache, downloads }: Pick<Remote, 'downloads'> & { readonly cache: string },
    options: TransferOptions,
  ): Promise<Laid> {
    const named = files.map((entry) => ({ ...entry, etag: etagOf(entry) }));
    const remote = { ...this.#remote, downloads };
    try {
      return await laySnapshot(cache, ref, named, async (unique, blobs) =>
        downloadFiles(remote, ref, await planDownload(remote, unique, blobs), options),
      );
    } catch (error) {
      throw explainStop(this.name, error);
    }
  }

  /** What `bring` would move. */
  async plan(repo: RepoId, cache: string, files: readonly RemoteEntry[]): Promise<DownloadPlan> {
    return await planDownload({ ...this.#remote, downloads: undefined }, files, blobsIn(cache, repo));
  }
}

type Laid = Awaited<ReturnType<Hub['materialise']>>;

interface WhoAmI {
  readonly name: string;
  readonly orgs?: readonly { readonly name: string }[];
}

/** The repo without the commit, which the client library does not accept in a repo. */
function repoOf({ type, name }: RepoId): RepoId {
  return { type, name };
}
