import { randomBytes } from 'node:crypto';
import { chmod, rename, rm, stat } from 'node:fs/promises';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import { differs, isBroken } from './damage.ts';
import { type Download, download, hashFile } from './download.ts';
import { type Hashes, hasher } from './hashes.ts';
import { authorization, explain, type Remote, refusal, tryOnce } from './hub-request.ts';
import { safetensorsFault } from './safetensors.ts';

/** A file as the Hub's own listing records it. */
export interface RemoteEntry {
  readonly path: string;
  readonly size: number;
  /** git id of a small file, of a large one that of its pointer */
  readonly oid: string;
  readonly sha256: string | undefined;
}

const SMALL_FILE_LIMIT = { ms: 60_000, isTransfer: false };

function addressOf(remote: Remote, ref: ArtifactRef, path: string): string {
  const prefix = ref.type === 'model' ? '' : `${ref.type}s/`;
  const name = path.split('/').map(encodeURIComponent).join('/');
  return `${remote.url}/${prefix}${ref.name}/resolve/${ref.commit}/${name}`;
}

function isNoEntry(response: Response): boolean {
  return response.status === 404 && response.headers.get('X-Error-Code') === 'EntryNotFound';
}

/** A small file's bytes, compared with the hash that the Hub names them by; `undefined` where there is no such file. */
export async function readRemote(remote: Remote, ref: ArtifactRef, path: string): Promise<Uint8Array | undefined> {
  const action = `read "${path}" of "${formatRef(ref)}"`;
  const init = { headers: { ...authorization(remote), 'Accept-Encoding': 'identity' } };
  const once = async (): Promise<{ bytes: Uint8Array; wrong: { expected: string; actual: string } | undefined } | undefined> =>
    await remote.retries.insist(
      () =>
        tryOnce(remote.plain, remote.retries, SMALL_FILE_LIMIT, addressOf(remote, ref, path), init, async (response, alive) => {
          if (isNoEntry(response)) return undefined;
          if (!response.ok) throw await refusal(remote, action, response);
          const pieces: Uint8Array[] = [];
          for await (const piece of response.body ?? []) {
            alive();
            pieces.push(piece);
          }
          const bytes = Buffer.concat(pieces);
          return { bytes, wrong: unlikeTag(bytes, response) };
        }),
      true,
    );
  try {
    // a proxy may have spoilt what the Hub has right
    const first = await once();
    const got = first?.wrong === undefined ? first : await once();
    if (got?.wrong !== undefined) throw differs(ref, path, got.wrong.expected, got.wrong.actual);
    return got?.bytes;
  } catch (error) {
    throw explain(remote, action, error);
  }
}

function unlikeTag(bytes: Uint8Array, response: Response): { expected: string; actual: string } | undefined {
  const etag = /^"([0-9a-f]{40}|[0-9a-f]{64})"$/.exec(response.headers.get('ETag') ?? '')?.[1];
  // the tag of a store that the Hub redirects to is a hash of something else
  if (etag === undefined || response.redirected) return undefined;
  const hash = hasher(bytes.length);
  hash.update(bytes);
  const { git, sha256 } = hash.done();
  const actual = etag.length === 40 ? git : sha256;
  return actual === etag ? undefined : { expected: `hash ${etag}`, actual: `hash ${actual}` };
}

/**
 * Brings a file to `blob`, hashed on the way to the disk and compared with the listing; one that lies there already is
 * hashed instead of fetched. `part` is a file that is not whole yet, from which to go on. Returns the sha256.
 */
export async function fetchBlob(
  remote: Remote,
  ref: ArtifactRef,
  entry: RemoteEntry,
  blob: string,
  part?: string,
): Promise<string> {
  const known = (await stat(blob).catch(() => undefined)) === undefined ? undefined : await hashFile(blob, entry.size);
  if (known !== undefined && mismatch(entry, known) === undefined) {
    remote.moved(entry.size);
    return checkHeader(ref, entry, blob, known);
  }
  const draft = part ?? `${blob}.${randomBytes(6).toString('hex')}`;
  try {
    const got = await fetchChecked(remote, ref, entry, draft);
    await checkHeader(ref, entry, draft, got);
    await chmod(draft, 0o444);
    await rename(draft, blob);
    return got.sha256;
  } finally {
    if (part === undefined) await rm(draft, { force: true });
  }
}

/** What does not have the listing's hash is asked for once more, whole, before the Hub's copy is called damaged. */
async function fetchChecked(remote: Remote, ref: ArtifactRef, entry: RemoteEntry, draft: string): Promise<Hashes> {
  const { path, size } = entry;
  const action = `read "${path}" of "${formatRef(ref)}"`;
  const what: Download = { address: addressOf(remote, ref, path), size, action, isNoEntry };
  for (let isSecond = false; ; isSecond = true) {
    const got = await download(remote, what, draft, isSecond).catch((error: unknown) => {
      throw explain(remote, action, error);
    });
    if (got === undefined) throw differs(ref, path, `${size} bytes`, 'no bytes on the Hub');
    const wrong = mismatch(entry, got);
    if (wrong === undefined) return got;
    await rm(draft, { force: true });
    if (isSecond) throw differs(ref, path, wrong.expected, wrong.actual);
  }
}

async function checkHeader(ref: ArtifactRef, { path }: RemoteEntry, file: string, { sha256 }: Hashes): Promise<string> {
  const fault = path.endsWith('.safetensors') ? await safetensorsFault(file) : undefined;
  if (fault !== undefined) throw isBroken(ref, path, fault);
  return sha256;
}

function mismatch(entry: RemoteEntry, got: Hashes): { expected: string; actual: string } | undefined {
  if (got.size !== entry.size) return { expected: `${entry.size} bytes`, actual: `${got.size} bytes` };
  if (entry.sha256 !== undefined) {
    return got.sha256 === entry.sha256 ? undefined : { expected: `sha256 ${entry.sha256}`, actual: `sha256 ${got.sha256}` };
  }
  return got.git === entry.oid ? undefined : { expected: `git id ${entry.oid}`, actual: `git id ${got.git}` };
}
