import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import * as z from 'zod';
import { sha256File } from '../base/sha256.ts';
import { ZephyrError } from '../errors.ts';
import { formatRepo, type RepoId } from '../model/artifact.ts';
import type { Addition } from './hub.ts';
import { AddressError, ask, type Remote, refusal, send, withoutSecrets } from './hub-request.ts';
import { type UploadRecord, UploadRecords } from './upload-record.ts';

/** Files above this are sent from disk, piece by piece; the client library would hold them in memory. Bytes. */
const LARGE_BYTES = 32 << 20;
/** So often addresses are asked for: a file that takes longer than they live goes on with new ones. */
const MOST_ADDRESSES = 3;

const answer = z.object({
  objects: z.array(
    z.object({
      oid: z.string(),
      error: z.object({ message: z.string() }).optional(),
      actions: z
        .object({ upload: z.object({ href: z.string(), header: z.record(z.string(), z.string()).optional() }).optional() })
        .optional(),
    }),
  ),
});

interface Large {
  readonly repo: RepoId;
  readonly file: string;
  readonly size: number;
  readonly oid: string;
}

/**
 * Sends the large files of a commit ahead of it, as LFS objects (basic or multipart). What the Hub holds already is not
 * sent, nor are parts that an earlier process has sent; the commit that follows finds all of them there.
 */
export async function uploadLarge(remote: Remote, repo: RepoId, additions: readonly Addition[]): Promise<void> {
  for (const addition of additions) {
    if (!('file' in addition)) continue;
    const { file } = addition;
    const { size } = await stat(file);
    if (size > LARGE_BYTES) await uploadOne(remote, { repo, file, size, oid: addition.sha256 ?? (await sha256File(file)) });
  }
}

async function uploadOne(remote: Remote, large: Large): Promise<void> {
  const records = new UploadRecords(remote.uploads, remote.url, formatRepo(large.repo), large.oid);
  let record = await records.read();
  for (let asked = 0; ; ) {
    try {
      if (record === undefined) {
        asked += 1;
        const given = await addresses(remote, large);
        if (given === undefined) return;
        if (!('chunk' in given)) return await sendWhole(remote, large, given);
        record = given;
      }
      await sendParts(remote, large, record, records);
      return await records.forget();
    } catch (error) {
      if (!(error instanceof AddressError)) throw error;
      await records.forget();
      record = undefined;
      if (asked < MOST_ADDRESSES) continue;
      const said = withoutSecrets(error.said ?? 'nothing');
      throw new ZephyrError(
        `Cannot ${actionOf(large)}, its upload addresses were refused ${asked} times, at last with ${error.status}: ${said}`,
        { exit: 'temporary', hint: 'run the command again; files that are there whole are not sent again', cause: error },
      );
    }
  }
}

function actionOf({ file, repo }: Large): string {
  return `upload "${file}" to "${formatRepo(repo)}"`;
}

interface Whole {
  readonly href: string;
  readonly header: Readonly<Record<string, string>>;
}

/** Where the file is to be sent; `undefined` when the Hub holds it already. */
async function addresses(remote: Remote, large: Large): Promise<UploadRecord | Whole | undefined> {
  const { repo, oid, size } = large;
  const action = actionOf(large);
  const prefix = repo.type === 'model' ? '' : `${repo.type}s/`;
  const request = { operation: 'upload', transfers: ['basic', 'multipart'], hash_algo: 'sha256', objects: [{ oid, size }] };
  const response = await ask(remote, action, 'POST', `/${prefix}${repo.name}.git/info/lfs/objects/batch`, request);
  if (!response.ok) throw await refusal(remote, action, response);
  const object = answer.parse(await response.json()).objects.find((one) => one.oid === oid);
  if (object?.error !== undefined)
    throw new ZephyrError(`Cannot ${action}: ${object.error.message.replace(/\.+$/, '')}`, { exit: 'preflight' });
  const upload = object?.actions?.upload;
  if (upload === undefined) return undefined;
  const { chunk_size: chunk, ...header } = upload.header ?? {};
  if (chunk === undefined) return { href: upload.href, header };
  const numbered = Object.entries(header).filter(([name]) => /^\d+$/.test(name));
  const parts = Object.fromEntries(numbered.map(([name, address]) => [String(Number(name)), address]));
  return { oid, size, chunk: Number(chunk), href: upload.href, parts, done: {} };
}

async function sendWhole(remote: Remote, large: Large, { href, header }: Whole): Promise<void> {
  await sendTo(remote, large, href, { method: 'PUT', body: await openAsBlob(large.file), headers: header });
  remote.moved(large.size);
}

async function sendParts(remote: Remote, large: Large, given: UploadRecord, records: UploadRecords): Promise<void> {
  const { oid, chunk, href } = given;
  const done = { ...given.done };
  const blob = await openAsBlob(large.file);
  for (const number of Object.keys(given.parts).sort((a, b) => Number(a) - Number(b))) {
    const start = (Number(number) - 1) * chunk;
    const body = blob.slice(start, Math.min(start + chunk, large.size));
    if (done[number] === undefined) {
      const sent = await sendTo(remote, large, given.parts[number] as string, { method: 'PUT', body });
      done[number] = sent.headers.get('ETag') ?? '';
      await records.write({ ...given, done });
    }
    remote.moved(body.size);
  }
  const parts = Object.entries(done).map(([number, etag]) => ({ partNumber: Number(number), etag }));
  const headers = { 'Content-Type': 'application/vnd.git-lfs+json' };
  await sendTo(remote, large, href, {
    method: 'POST',
    headers,
    body: JSON.stringify({ oid, parts: parts.sort((a, b) => a.partNumber - b.partNumber) }),
  });
}

/** The addresses are signed: they go without the token. */
async function sendTo(remote: Remote, large: Large, address: string, init: RequestInit): Promise<Response> {
  const sent = await send(remote, actionOf(large), address, init);
  if (!sent.ok) throw await refusal(remote, actionOf(large), sent);
  return sent;
}
