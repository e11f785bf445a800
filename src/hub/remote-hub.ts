import { createBranch, createRepo, listDatasets, listFiles, listModels, whoAmI } from '@huggingface/hub';
import * as z from 'zod';
import { ZephyrError } from '../errors.ts';
import { type ArtifactRef, formatRef, formatRepo, type RepoId } from '../model/artifact.ts';
import { differs, noCommit } from './damage.ts';
import { type CommitRequest, type Hub, isUnder, type Refs } from './hub.ts';
import { apiPath, ask, explain, patientFetch, type Remote, refusal, statusOf } from './hub-request.ts';
import { partOf } from './part-file.ts';
import { commitRemotely } from './remote-commit.ts';
import { fetchBlob, type RemoteEntry, readRemote } from './remote-file.ts';
import { RetryPolicy, type RetryPolicyOptions } from './retry-policy.ts';
import { laySnapshot } from './snapshot.ts';

interface RemoteHubOptions extends RetryPolicyOptions {
  /** Address of the Hub, for instance that of a `zephyr hub serve`. */
  readonly url: string;
  /** none: only what everybody may read */
  readonly token: string | undefined;
  readonly fetch?: typeof fetch;
  /** A folder for what is known of unfinished uploads, so that another process goes on with them. */
  readonly uploads?: string;
  /** Told how many bytes of files were sent or came. */
  readonly moved?: (bytes: number) => void;
}

export interface RemoteHub extends Hub {
  /** All files of the commit with their git ids, sorted by path. */
  entries(ref: ArtifactRef): Promise<RemoteEntry[]>;
  /** As `materialise`, of these files; what an earlier process has brought of them is not fetched again. */
  bring(ref: ArtifactRef, cache: string, files: readonly RemoteEntry[]): ReturnType<Hub['materialise']>;
}

const listedRefs = z.object({
  branches: z.array(z.object({ name: z.string(), targetCommit: z.string() })),
  tags: z.array(z.object({ name: z.string(), targetCommit: z.string() })),
});

/** Any Hub over HTTP, by way of its client library and, for what that lacks (tags, lists of references), of plain requests. */
export function openRemoteHub(options: RemoteHubOptions): RemoteHub {
  const { token, fetch: plain = fetch, uploads, moved = () => {} } = options;
  const url = options.url.replace(/\/+$/, '');
  const retries = new RetryPolicy({ ...options, url });
  const remote: Remote = { url, token, fetch: patientFetch(plain, retries), plain, retries, uploads, moved };
  const common = { hubUrl: url, ...(token === undefined ? {} : { accessToken: token }), fetch: remote.fetch };

  async function refs(repo: RepoId): Promise<Refs | undefined> {
    const action = `read "${formatRepo(repo)}"`;
    const response = await ask(remote, action, 'GET', `${apiPath(repo)}/refs`);
    // the real Hub says 401 of a repo that is not there
    if (response.status === 404 || (response.status === 401 && response.headers.get('X-Error-Code') === 'RepoNotFound'))
      return undefined;
    if (!response.ok) throw await refusal(remote, action, response);
    const { branches, tags } = listedRefs.parse(await response.json());
    const byName = (list: typeof branches): Record<string, string> =>
      Object.fromEntries(list.map(({ name, targetCommit }) => [name, targetCommit]));
    return { branches: byName(branches), tags: byName(tags) };
  }

  async function resolve(repo: RepoId, revision: string): Promise<string | undefined> {
    const known = await refs(repo);
    const named = known?.branches[revision] ?? known?.tags[revision];
    // branches and tags are all listed
    if (known === undefined || named !== undefined || !/^(refs\/.+|[0-9a-f]{7,40})$/.test(revision)) return named;
    const action = `read "${formatRepo(repo)}"`;
    const response = await ask(remote, action, 'GET', `${apiPath(repo)}/revision/${encodeURIComponent(revision)}`);
    if (response.status === 404) return undefined;
    if (!response.ok) throw await refusal(remote, action, response);
    return z.object({ sha: z.string() }).parse(await response.json()).sha;
  }

  async function entries(ref: ArtifactRef): Promise<RemoteEntry[]> {
    const found: RemoteEntry[] = [];
    try {
      for await (const { type, path, size, oid, lfs } of listFiles({
        ...common,
        repo: repoOf(ref),
        revision: ref.commit,
        recursive: true,
      })) {
        if (type === 'file') found.push({ path, size, oid: oid ?? '', sha256: lfs?.oid });
      }
    } catch (error) {
      throw statusOf(error) === 404 ? noCommit(ref) : explain(remote, `list "${formatRef(ref)}"`, error);
    }
    return found.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  async function createTag(repo: RepoId, tag: string, commit: string): Promise<'created' | 'exists'> {
    const action = `create tag "${tag}" of "${formatRepo(repo)}"`;
    const response = await ask(remote, action, 'POST', `${apiPath(repo)}/tag/${commit}`, { tag });
    if (response.status === 409) return 'exists';
    if (!response.ok) throw await refusal(remote, action, response);
    return 'created';
  }

  async function removals({ repo, parent, add, remove = [] }: CommitRequest): Promise<string[]> {
    if (remove.length === 0) return [];
    const added = new Set(add.map(({ path }) => path));
    const there = (await entries({ ...repoOf(repo), commit: parent })).map(({ path }) => path).filter((path) => !added.has(path));
    if (remove === 'all') return there;
    return there.filter((path) => remove.some((doomed) => path === doomed || path.startsWith(`${doomed}/`)));
  }

  async function list(): Promise<RepoId[]> {
    if (token === undefined)
      throw new ZephyrError(`Cannot list the repos on ${url}: no token says whose`, { exit: 'preflight', hint: 'set HF_TOKEN' });
    try {
      const { name, orgs } = (await whoAmI({ ...common, accessToken: token })) as { name: string; orgs?: { name: string }[] };
      const found: RepoId[] = [];
      for (const type of ['model', 'dataset'] as const) {
        for (const owner of [name, ...(orgs ?? []).map((org) => org.name)]) {
          const listed =
            type === 'model' ? listModels({ ...common, search: { owner } }) : listDatasets({ ...common, search: { owner } });
          for await (const repo of listed) found.push({ type, name: repo.name });
        }
      }
      return found;
    } catch (error) {
      throw explain(remote, 'list repos', error);
    }
  }

  return {
    name: remote.url,
    journalFolder: () => undefined,
    list,
    createRepo: async (repo) => {
      try {
        // without first files, where a Hub can do that: as in the embedded one
        await createRepo({ ...common, repo: repoOf(repo), visibility: 'private', files: [] });
        return 'created';
      } catch (error) {
        if (statusOf(error) === 409) return 'exists';
        throw explain(remote, `create "${formatRepo(repo)}"`, error);
      }
    },
    // over HTTP nobody can tell that the repo is still empty when it is deleted
    discardRepo: async () => {},
    refs,
    resolve: (ref) => resolve(ref, ref.revision),
    tree: async (ref) => (await entries(ref)).map(({ path, size, sha256 }) => ({ path, size, sha256 })),
    read: (ref, path) => readRemote(remote, ref, path),
    createBranch: async (repo, branch, from) => {
      try {
        await createBranch({ ...common, repo: repoOf(repo), branch, revision: from });
        return 'created';
      } catch (error) {
        if (statusOf(error) === 409) return 'exists';
        throw explain(remote, `create branch "${branch}" of "${formatRepo(repo)}"`, error);
      }
    },
    createTag,
    moveTag: async (repo, tag, commit) => {
      const action = `move tag "${tag}" of "${formatRepo(repo)}"`;
      const response = await ask(remote, action, 'DELETE', `${apiPath(repo)}/tag/${encodeURIComponent(tag)}`);
      // a first try whose answer was lost has removed it
      if (!response.ok && response.status !== 404) throw await refusal(remote, action, response);
      await createTag(repo, tag, commit);
    },
    commit: async (request) => {
      // asked first: what is to be removed is read at the parent, which may be gone with its branch
      return commitRemotely(remote, request, await removals(request));
    },
    verify: async (ref, files) => {
      const recorded = new Map((await entries(ref)).map((entry) => [entry.path, entry]));
      for (const { path, size, sha256 } of files) {
        const entry = recorded.get(path);
        if (entry === undefined) throw differs(ref, path, `sha256 ${sha256}`, 'no bytes in the commit');
        if (entry.size !== size) throw differs(ref, path, `${size} bytes`, `${entry.size} bytes`);
        if (entry.sha256 !== undefined && entry.sha256 !== sha256)
          throw differs(ref, path, `sha256 ${sha256}`, `sha256 ${entry.sha256}`);
      }
    },
    prune: async () => undefined,
    reclaim: async () => undefined,
    materialise: async (ref, cache, under) => {
      const named = (await entries(ref)).filter(isUnder(under)).map(withTag);
      return laySnapshot(cache, ref, named, (entry, blob) => fetchBlob(remote, ref, entry, blob));
    },
    entries,
    bring: async (ref, cache, files) =>
      laySnapshot(cache, ref, files.map(withTag), async (entry, blob) => fetchBlob(remote, ref, entry, blob, await partOf(blob))),
    deleteRepo: async (repo) => {
      const [organization, name] = repo.name.split('/');
      const action = `delete "${formatRepo(repo)}"`;
      const response = await ask(remote, action, 'DELETE', '/api/repos/delete', { name, organization, type: repo.type });
      if (response.ok) return true;
      if (response.status === 404) return false;
      throw await refusal(remote, action, response);
    },
    deleteRef: async (repo, kind, name) => {
      const action = `delete ${kind} "${name}" of "${formatRepo(repo)}"`;
      const response = await ask(remote, action, 'DELETE', `${apiPath(repo)}/${kind}/${encodeURIComponent(name)}`);
      if (response.ok) return true;
      if (response.status === 404) return false;
      throw await refusal(remote, action, response);
    },
  };
}

/** Under the name that huggingface_hub gives to the bytes. */
function withTag(entry: RemoteEntry): RemoteEntry & { readonly etag: string } {
  return { ...entry, etag: entry.sha256 ?? entry.oid };
}

/** Without the commit, which the client library would not know what to do with. */
function repoOf({ type, name }: RepoId): RepoId {
  return { type, name };
}
