import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import { differs, isBroken } from './damage.ts';
import { ask, backoff, explain, isLostConnection, MAX_TRIES, type Remote, refusal } from './hub-request.ts';
import { safetensorsFault } from './safetensors.ts';

/** A file as the Hub's own listing records it. */
export interface RemoteEntry {
  readonly path: string;
  readonly size: number;
  /** git id of a small file, of a large one that of its pointer */
  readonly oid: string;
  readonly sha256: string | undefined;
}

/** Asks for a file's bytes; `undefined` where the commit has no such file. */
async function openRemote(remote: Remote, ref: ArtifactRef, path: string): Promise<Response | undefined> {
  const prefix = ref.type === 'model' ? '' : `${ref.type}s/`;
  const name = path.split('/').map(encodeURIComponent).join('/');
  const action = `read "${path}" of "${formatRef(ref)}"`;
  const response = await ask(remote, action, 'GET', `/${prefix}${ref.name}/resolve/${ref.commit}/${name}`);
  if (response.status === 404 && response.headers.get('X-Error-Code') === 'EntryNotFound') return undefined;
  if (!response.ok) throw await refusal(remote, action, response);
  return response;
}

/** A small file's bytes, compared with the hash that the Hub names them by; `undefined` where there is no such file. */
export async function readRemote(remote: Remote, ref: ArtifactRef, path: string): Promise<Uint8Array | undefined> {
  const response = await openRemote(remote, ref, path);
  if (response === undefined) return undefined;
  const bytes = new Uint8Array(await response.arrayBuffer());
  const etag = /^"([0-9a-f]{40}|[0-9a-f]{64})"$/.exec(response.headers.get('ETag') ?? '')?.[1];
  // the tag of a store that the Hub redirects to is a hash of something else
  if (etag === undefined || response.redirected) return bytes;
  const hash = hasher(bytes.length);
  hash.update(bytes);
  const actual = etag.length === 40 ? hash.git() : hash.sha256();
  if (actual !== etag) throw differs(ref, path, `hash ${etag}`, `hash ${actual}`);
  return bytes;
}

/** Hashes bytes as they pass: the sha256 that names them, and the id that git would give them. */
function hasher(size: number): { update(piece: Uint8Array): void; sha256(): string; git(): string } {
  const sha256 = createHash('sha256');
  const git = createHash('sha1').update(`blob ${size}\0`);
  return {
    update: (piece) => {
      sha256.update(piece);
      git.update(piece);
    },
    sha256: () => sha256.digest('hex'),
    git: () => git.digest('hex'),
  };
}

interface Hashes {
  readonly size: number;
  readonly sha256: string;
  readonly git: string;
}

/**
 * Brings a file to `blob`, hashed on the way to the disk and compared with the listing; one that lies there already is
 * hashed instead of fetched. Returns its sha256.
 */
export async function fetchBlob(remote: Remote, ref: ArtifactRef, entry: RemoteEntry, blob: string): Promise<string> {
  const known = (await stat(blob).catch(() => undefined)) === undefined ? undefined : await hashFile(blob, entry.size);
  if (known !== undefined && mismatch(entry, known) === undefined) return checkHeader(ref, entry, blob, known);
  const draft = `${blob}.${randomBytes(6).toString('hex')}`;
  try {
    const got = await download(remote, ref, entry, draft);
    const wrong = mismatch(entry, got);
    if (wrong !== undefined) throw differs(ref, entry.path, wrong.expected, wrong.actual);
    await checkHeader(ref, entry, draft, got);
    await rename(draft, blob);
    return got.sha256;
  } finally {
    await rm(draft, { force: true });
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

async function hashFile(path: string, size: number): Promise<Hashes> {
  const hash = hasher(size);
  let length = 0;
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    hash.update(piece);
    length += piece.length;
  }
  return { size: length, sha256: hash.sha256(), git: hash.git() };
}

/** A connection that breaks in the middle begins anew: a file is whole or it is not there. */
async function download(remote: Remote, ref: ArtifactRef, entry: RemoteEntry, draft: string): Promise<Hashes> {
  for (let tries = 1; ; tries += 1) {
    const response = await openRemote(remote, ref, entry.path);
    if (response === undefined) throw differs(ref, entry.path, `${entry.size} bytes`, 'no bytes on the Hub');
    const hash = hasher(entry.size);
    let length = 0;
    const hashed = async function* (pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const piece of pieces) {
        hash.update(piece);
        length += piece.length;
        yield piece;
      }
    };
    try {
      const body = response.body === null ? Readable.from([]) : Readable.fromWeb(response.body as ReadableStream);
      await pipeline(body, hashed, createWriteStream(draft, { mode: 0o444, highWaterMark: 1 << 20 }));
      return { size: length, sha256: hash.sha256(), git: hash.git() };
    } catch (error) {
      await rm(draft, { force: true });
      if (!isLostConnection(error) || tries === MAX_TRIES)
        throw explain(remote, `read "${entry.path}" of "${formatRef(ref)}"`, error);
      await remote.pause(backoff(tries));
    }
  }
}
