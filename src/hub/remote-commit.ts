import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type CommitOperation, commit } from '@huggingface/hub';
import { ulid } from '../base/ulid.ts';
import { ZephyrError } from '../errors.ts';
import { formatRepo } from '../model/artifact.ts';
import type { Addition, CommitOutcome, CommitRequest } from './hub.ts';
import { AddressError, apiPath, ask, explain, type Remote, statusOf, UnclearError, withoutSecrets } from './hub-request.ts';
import { AwayError } from './retry-policy.ts';
import { uploadLarge } from './upload.ts';

/** Above this, all files of a commit together, a commit is left to huggingface_hub with its own transfer. Bytes. */
const MAX_COMMIT_BYTES = 64 * 2 ** 30;

/** So often an upload that the client library makes is begun anew because its address was refused. */
const MOST_REFUSALS = 3;

/** Stands in the description of a commit, so that one whose answer was lost can be found again. */
const MARK = 'zephyr-commit: ';

/**
 * One commit over HTTP. 412: the branch moved. 409: another commit is under way, and the same one is tried again. 5xx or no
 * answer: it may have landed, so the branch is searched for it before it is tried again.
 */
export async function commitRemotely(remote: Remote, request: CommitRequest, remove: readonly string[]): Promise<CommitOutcome> {
  const { repo } = request;
  const action = `commit to "${formatRepo(repo)}"`;
  const mark = `${MARK}${ulid(Date.now())}`;
  const [title = '', ...rest] = request.message.trimEnd().split('\n');
  const description = [rest.join('\n').trim(), mark].filter((text) => text !== '').join('\n\n');
  await expectBounded(request);
  await uploadLarge(remote, repo, request.add);
  const operations: CommitOperation[] = [
    ...remove.map((path) => ({ operation: 'delete' as const, path })),
    ...(await Promise.all(
      request.add.map(async (addition) => ({
        operation: 'addOrUpdate' as const,
        path: addition.path,
        content: await blobOf(addition),
      })),
    )),
  ];
  const send = (): Promise<CommitOutcome> => sendCommit(remote, request, { title, description, operations });
  let refusals = 0;
  const attempt = async (): Promise<CommitOutcome> => {
    try {
      return await send();
    } catch (error) {
      const status = statusOf(error);
      // whoever stands between may have sent a commit that landed once more, and then a 412 is the answer to that
      const landed = error instanceof UnclearError || status === 412 ? await ownCommit(remote, action, request, mark) : undefined;
      if (landed !== undefined) return { ok: true, commit: landed };
      if (status === 412) return { ok: false, reason: 'moved' };
      if (error instanceof UnclearError) throw error.away;
      if (status === 409) throw new AwayError('409, another commit is under way', 'answer', { cause: error });
      if (error instanceof AddressError) {
        refusals += 1;
        if (refusals < MOST_REFUSALS) throw new AwayError('an upload address that has expired', 'answer', { cause: error });
        const said = withoutSecrets(error.said ?? 'nothing');
        throw new ZephyrError(`Cannot ${action}, an upload address was refused with ${error.status}: ${said}`, {
          exit: 'temporary',
          hint: 'run the command again; what is done is not done twice',
          cause: error,
        });
      }
      throw explain(remote, action, error);
    }
  };
  return await remote.retries.insist(attempt).catch((error: unknown) => {
    throw explain(remote, action, error);
  });
}

interface Prepared {
  readonly title: string;
  readonly description: string;
  readonly operations: CommitOperation[];
}

async function sendCommit(remote: Remote, { repo, branch, parent }: CommitRequest, prepared: Prepared): Promise<CommitOutcome> {
  const { token } = remote;
  const done = await commit({
    repo,
    branch,
    ...prepared,
    parentCommit: parent,
    useXet: false,
    hubUrl: remote.url,
    ...(token === undefined ? {} : { accessToken: token }),
    fetch: remote.fetch,
  });
  if (done === undefined) throw new Error('The Hub answered a commit without its id');
  return { ok: true, commit: done.commit.oid };
}

async function blobOf(addition: Addition): Promise<Blob> {
  if ('file' in addition) return openAsBlob(addition.file);
  return new Blob([typeof addition.content === 'string' ? addition.content : new Uint8Array(addition.content)]);
}

/** The commit on top of the parent that carries the mark. */
async function ownCommit(
  remote: Remote,
  action: string,
  { repo, branch }: CommitRequest,
  mark: string,
): Promise<string | undefined> {
  const response = await ask(remote, action, 'GET', `${apiPath(repo)}/commits/${encodeURIComponent(branch)}?limit=20`);
  if (!response.ok) return undefined;
  const commits = (await response.json()) as { id: string; title: string; message?: string }[];
  return commits.find(({ title, message }) => `${title}\n${message ?? ''}`.includes(mark))?.id;
}

async function expectBounded({ repo, add }: CommitRequest): Promise<void> {
  const sizes = await Promise.all(
    add.map(async (addition) => ('file' in addition ? (await stat(addition.file)).size : addition.content.length)),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total <= MAX_COMMIT_BYTES) return;
  throw new ZephyrError(`Cannot commit ${total} bytes to "${formatRepo(repo)}", expected at most ${MAX_COMMIT_BYTES}`, {
    exit: 'preflight',
    hint: 'Upload the files with the hf command of huggingface_hub, and name the repo as an input',
  });
}
