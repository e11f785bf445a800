import { openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import * as z from 'zod';
import { sha256File } from '../base/sha256.ts';
import { ZephyrError } from '../errors.ts';
import { formatRepo, type RepoId } from '../model/artifact.ts';
import type { Addition } from './hub.ts';
import { ask, type Remote, refusal, send } from './hub-request.ts';

/** Files above this are sent from disk, piece by piece; the client library would hold them in memory. Bytes. */
const LARGE_BYTES = 32 << 20;

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

/**
 * Sends the large files of a commit ahead of it, as LFS objects (basic or multipart). What the Hub holds already is not
 * sent; the commit that follows finds all of them there.
 */
export async function uploadLarge(remote: Remote, repo: RepoId, additions: readonly Addition[]): Promise<void> {
  for (const addition of additions) {
    if (!('file' in addition)) continue;
    const { size } = await stat(addition.file);
    if (size > LARGE_BYTES)
      await uploadOne(remote, repo, addition.file, size, addition.sha256 ?? (await sha256File(addition.file)));
  }
}

async function uploadOne(remote: Remote, repo: RepoId, file: string, size: number, oid: string): Promise<void> {
  const action = `upload "${file}" to "${formatRepo(repo)}"`;
  const prefix = repo.type === 'model' ? '' : `${repo.type}s/`;
  const request = { operation: 'upload', transfers: ['basic', 'multipart'], hash_algo: 'sha256', objects: [{ oid, size }] };
  const response = await ask(remote, action, 'POST', `/${prefix}${repo.name}.git/info/lfs/objects/batch`, request);
  if (!response.ok) throw await refusal(remote, action, response);
  const object = answer.parse(await response.json()).objects.find((one) => one.oid === oid);
  if (object?.error !== undefined)
    throw new ZephyrError(`Cannot ${action}: ${object.error.message.replace(/\.+$/, '')}`, { exit: 'preflight' });
  const upload = object?.actions?.upload;
  if (upload === undefined) return;

  // the addresses are signed: they go without the token
  const sendTo = async (address: string, init: RequestInit): Promise<Response> => {
    const sent = await send(remote, action, address, init);
    if (!sent.ok) throw await refusal(remote, action, sent);
    return sent;
  };
  const blob = await openAsBlob(file);
  const { chunk_size: chunk, ...header } = upload.header ?? {};
  if (chunk === undefined) {
    await (await sendTo(upload.href, { method: 'PUT', body: blob, headers: header })).body?.cancel();
    return;
  }
  const parts: { partNumber: number; etag: string }[] = [];
  for (const [key, address] of Object.entries(header)
    .filter(([name]) => /^\d+$/.test(name))
    .sort(([a], [b]) => Number(a) - Number(b))) {
    const start = (Number(key) - 1) * Number(chunk);
    const sent = await sendTo(address, { method: 'PUT', body: blob.slice(start, start + Number(chunk)) });
    await sent.body?.cancel();
    parts.push({ partNumber: Number(key), etag: sent.headers.get('ETag') ?? '' });
  }
  const headers = { 'Content-Type': 'application/vnd.git-lfs+json' };
  await (await sendTo(upload.href, { method: 'POST', headers, body: JSON.stringify({ oid, parts }) })).body?.cancel();
}
