import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { largeSize } from '../store/large-files.ts';
import { readBlob, readCommit } from '../store/objects.ts';
import { lfsFile } from '../store/store.ts';
import { findEntry } from '../store/tree.ts';
import { type Exchange, HttpError, sendNothing } from './exchange.ts';
import { type Found, splitRevision } from './revision.ts';

interface Bytes {
  readonly size: number;
  readonly etag: string;
  readonly large: boolean;
  /** both ends included */
  read(start: number, end: number): Readable;
}

/** A file's bytes, whole or a range of them; under `raw` a large file's pointer. HEAD answers the same headers. */
export async function resolve(exchange: Exchange, repo: Found, raw: string, asPointer: boolean): Promise<void> {
  const { request, response } = exchange;
  const { commit, path } = await splitRevision(repo, raw);
  const headers: Record<string, string> = { 'X-Repo-Commit': commit };
  const bytes = await open(exchange, repo, { commit, path, asPointer, headers });
  headers.ETag = `"${bytes.etag}"`;
  headers['Accept-Ranges'] = 'bytes';
  headers['Content-Type'] = 'application/octet-stream';
  headers['Content-Disposition'] = `inline; filename*=UTF-8''${encodeURIComponent(basename(path))}`;
  if (bytes.large) Object.assign(headers, { 'X-Linked-Etag': `"${bytes.etag}"`, 'X-Linked-Size': String(bytes.size) });

  const range = rangeOf(request.headers.range, bytes.size);
  if (range === 'outside' && bytes.size > 0)
    return sendNothing(exchange, 416, { ...headers, 'Content-Range': `bytes */${bytes.size}` });
  if (bytes.size === 0) {
    // HTTP has 416 for a range of an empty file, but the JavaScript client fails at it
    return sendNothing(exchange, 200, { ...headers, 'Content-Length': '0', 'Content-Range': 'bytes */0' });
  }
  const { start, end } = range === undefined || range === 'outside' ? { start: 0, end: bytes.size - 1 } : range;
  if (range !== undefined) headers['Content-Range'] = `bytes ${start}-${end}/${bytes.size}`;
  response.writeHead(range === undefined ? 200 : 206, { ...headers, 'Content-Length': end - start + 1 });
  if (request.method === 'HEAD') response.end();
  else await pipeline(bytes.read(start, end), response);
}

interface AskedFile {
  readonly commit: string;
  readonly path: string;
  readonly asPointer: boolean;
  /** headers of the answer, which an error answer has as well */
  readonly headers: Record<string, string>;
}

async function open({ store }: Exchange, repo: Found, { commit, path, asPointer, headers }: AskedFile): Promise<Bytes> {
  const tree = (await readCommit(repo.folder, commit))?.tree ?? '';
  const entry = await findEntry(store, repo.folder, tree, path);
  // the Python client reads the commit from the headers and remembers in its cache that the file is not there
  if (entry?.kind !== 'file') throw new HttpError(404, `Entry not found: ${path}`, { code: 'EntryNotFound', headers });
  if (entry.lfs !== undefined && !asPointer) {
    const { sha256 } = entry.lfs;
    const size = await largeSize(store, sha256);
    if (size === undefined) throw new HttpError(404, `The bytes of "${path}" were given up by a prune`, { headers });
    const read = (start: number, end: number): Readable =>
      createReadStream(lfsFile(store, sha256), { start, end, highWaterMark: 1 << 20 });
    return { size, etag: sha256, large: true, read };
  }
  const blob = await readBlob(repo.folder, entry.id);
  if (!blob.ok) throw new HttpError(500, `The stored bytes of "${path}" are damaged`);
  const read = (start: number, end: number): Readable => Readable.from([blob.bytes.subarray(start, end + 1)]);
  return { size: blob.bytes.length, etag: entry.id, large: false, read };
}

function rangeOf(header: string | undefined, size: number): { start: number; end: number } | 'outside' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const end = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  return start > end || start >= size ? 'outside' : { start, end };
}
