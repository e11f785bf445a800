import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type CommitOperation, commit } from '@huggingface/hub';
import { ulid } from '../base/ulid.ts';
import { ZephyrError } from '../errors.ts';
import { formatRepo } from '../model/artifact.ts';
import type { Addition, CommitOutcome, CommitRequest } from './hub.ts';
import { apiPath, ask, backoff, explain, isLostConnection, MAX_TRIES, type Remote, statusOf } from './hub-request.ts';
import { uploadLarge } from './large-upload.ts';

/** Above this, all files of a commit together, a commit is left to huggingface_hub with its own transfer. Bytes. */
const MAX_COMMIT_BYTES = 64 * 2 ** 30;

/** Stands in the description of a commit, so that one whose answer was lost can be found again. */
const MARK = 'zephyr-commit: ';

/**
 * One commit over HTTP. 412: the branch moved. 409: another commit is under way, and the same one is tried again. 5xx or no
 * answer: it may have landed, so the branch is searched for it before it is tried again.
 */
export async function commitRemotely(remote: Remote, request: CommitRequest, remove: readonly string[]): Promise<CommitOutcome> {
  const { repo, branch, parent } = request;
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
  for (let tries = 1; ; tries += 1) {
    try {
      const done = await commit({
        repo,
        branch,
        title,
        description,
        operations,
        parentCommit: parent,
        useXet: false,
        hubUrl: remote.url,
        accessToken: remote.token,
        fetch: remote.fetch,
      });
      if (done === undefined) throw new Error('The Hub answered a commit without its id');
      return { ok: true, commit: done.commit.oid };
    } catch (error) {
      const status = statusOf(error);
      const unclear = isLostConnection(error) || (status !== undefined && status >= 500);
      // a 412 to the second try may be the answer to a first one that landed
      const landed = unclear || (status === 412 && tries > 1) ? await ownCommit(remote, action, request, mark) : undefined;
      if (landed !== undefined) return { ok: true, commit: landed };
      if (status === 412) return { ok: false, reason: 'moved' };
      if ((status !== 409 && !unclear) || status === 507 || tries === MAX_TRIES) throw explain(remote, action, error);
      await remote.pause(backoff(tries));
    }
  }
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
