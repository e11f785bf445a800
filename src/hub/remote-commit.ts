import * as z from 'zod';
import { ulid } from '../base/ulid.ts';
import { formatRepo } from '../model/artifact.ts';
import type { CommitOutcome, CommitRequest } from './hub.ts';
import { apiPath, ask, authorization, explain, type Remote, refusal, SLOW_EXCHANGE, tryOnce } from './hub-request.ts';
import { AwayError } from './retry-policy.ts';
import { Meter, type TransferOptions } from './transfer.ts';
import { uploadLarge } from './upload.ts';
import { planUpload, type UploadPlan } from './upload-plan.ts';

/** Stands in the description of a commit, so that one whose answer was lost can be found again. */
const MARK = 'zephyr-commit: ';

/**
 * One commit over HTTP, after the large files that it names. 412: the branch moved. 409: another commit is under way, and the
 * same one is tried again. 5xx or no answer: it may have landed, so the branch is searched for it before it is tried again.
 */
export async function commitRemotely(
  remote: Remote,
  request: CommitRequest,
  remove: readonly string[],
  { signal, progress }: TransferOptions,
): Promise<CommitOutcome> {
  const plan = await planUpload(remote, request, signal);
  const meter = new Meter(plan.total, plan.total - plan.missing, progress);
  await uploadLarge(remote, plan, meter, signal);
  signal?.throwIfAborted();
  const outcome = await sendCommit(remote, request, await linesOf(request, remove, plan), signal);
  if (outcome.ok) for (const { path, blob } of plan.small) meter.moved(path, blob.size);
  return outcome;
}

interface Lines {
  readonly mark: string;
  /** one JSON object a line; a blob, since a string of more than half a gigabyte cannot be */
  readonly body: Blob;
}

/** The body of a commit (`application/x-ndjson`), as huggingface_hub sends it. */
async function linesOf(request: CommitRequest, remove: readonly string[], plan: UploadPlan): Promise<Lines> {
  const mark = `${MARK}${ulid(Date.now())}`;
  const [summary = '', ...rest] = request.message.trimEnd().split('\n');
  const description = [rest.join('\n').trim(), mark].filter((text) => text !== '').join('\n\n');
  const lines: string[] = [];
  const line = (key: string, value: unknown): void => void lines.push(`${JSON.stringify({ key, value })}\n`);
  line('header', { summary, description, parentCommit: request.parent });
  for (const { path, blob } of plan.small) {
    const content = Buffer.from(await blob.arrayBuffer()).toString('base64');
    line('file', { path, content, encoding: 'base64' });
  }
  for (const { path, oid, size } of plan.pointers) line('lfsFile', { path, algo: 'sha256', oid, size });
  for (const path of remove) line('deletedFile', { path });
  return { mark, body: new Blob(lines) };
}

async function sendCommit(
  remote: Remote,
  request: CommitRequest,
  { mark, body }: Lines,
  signal: AbortSignal | undefined,
): Promise<CommitOutcome> {
  const { repo, branch } = request;
  const action = `commit to "${formatRepo(repo)}"`;
  const headers = { ...authorization(remote), 'Content-Type': 'application/x-ndjson' };
  const address = `${remote.url}${apiPath(repo)}/commit/${encodeURIComponent(branch)}`;
  const post = { address, init: { method: 'POST', headers, body }, limit: SLOW_EXCHANGE, signal };
  const attempt = async (): Promise<CommitOutcome> => {
    try {
      return await tryOnce(remote, post, async (response): Promise<CommitOutcome> => {
        if (response.status === 409) throw new AwayError('409, another commit is under way', 'answer', { untouched: true });
        if (response.status === 412) return { ok: false, reason: 'moved' };
        if (!response.ok) throw await refusal(remote, action, response);
        return { ok: true, commit: await commitIn(response) };
      });
    } catch (error) {
      if (!(error instanceof AwayError) || error.untouched) throw error;
      const landed = await ownCommit(remote, action, request, mark);
      if (landed === undefined) throw error;
      return { ok: true, commit: landed };
    }
  };
  const outcome = await remote.retries.insist(attempt, { isExchange: true, signal }).catch((error: unknown) => {
    throw explain(remote, action, error);
  });
  if (outcome.ok) return outcome;
  // a proxy may have sent the commit twice: the first landed, and the 412 answers the second
  const landed = await ownCommit(remote, action, request, mark);
  return landed === undefined ? outcome : { ok: true, commit: landed };
}

/** An answer that ends before the id says nothing of the commit. */
async function commitIn(response: Response): Promise<string> {
  const parsed = z.object({ commitOid: z.string() }).safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) throw new AwayError('an answer that is cut short', 'no-answer');
  return parsed.data.commitOid;
}

/** The commit on top of the parent that carries the mark. */
async function ownCommit(
  remote: Remote,
  action: string,
  { repo, branch }: CommitRequest,
  mark: string,
): Promise<string | undefined> {
  const path = `${apiPath(repo)}/commits/${encodeURIComponent(branch)}?limit=20`;
  const response = await ask(remote, action, { method: 'GET', path });
  if (!response.ok) return undefined;
  const commits = (await response.json()) as { id: string; title: string; message?: string }[];
  return commits.find(({ title, message }) => `${title}\n${message ?? ''}`.includes(mark))?.id;
}
