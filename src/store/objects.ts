import { createHash } from 'node:crypto';
import { closeSync, createReadStream, createWriteStream, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createDeflate, deflate, inflate, inflateSync } from 'node:zlib';
import { syncFolder } from '../base/atomic-write.ts';
import { moveInto, place, temporaryPath } from './durable.ts';
import {
  decodeCommit,
  decodeTree,
  type GitCommit,
  type GitTreeEntry,
  type ObjectKind,
  objectHeader,
  objectId,
} from './git-object.ts';
import { MAX_POINTER_BYTES, parsePointer } from './lfs-pointer.ts';
import type { BlobFacts, Store } from './store.ts';

const deflateBytes = promisify(deflate);
const inflateBytes = promisify(inflate);
const MAX_CACHED_TREES = 4096;
const MAX_CACHED_BLOBS = 200_000;

/** Folders with new names in them, to be synced before a reference to those names is written. */
export type Touched = Set<string>;

function objectFile(repo: string, id: string): string {
  return join(repo, 'objects', id.slice(0, 2), id.slice(2));
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** The ids of all objects that begin with these two digits. */
export async function objectsOf(repo: string, two: string): Promise<string[]> {
  const names = await readdir(join(repo, 'objects', two)).catch(() => []);
  return names.filter((name) => /^[0-9a-f]{38}$/.test(name)).map((name) => two + name);
}

/** Writes a loose object unless it is there; one that a disk has spoilt since is replaced. Returns its id. */
export async function writeObject(
  store: Store,
  repo: string,
  { kind, content }: { readonly kind: ObjectKind; readonly content: Uint8Array },
  touched: Touched,
): Promise<string> {
  const id = objectId(kind, content);
  const path = objectFile(repo, id);
  touched.add(dirname(path));
  const there = (await exists(path)) ? await readObject(repo, kind, id).catch(() => undefined) : undefined;
  if (there !== undefined && objectId(kind, there) === id) return id;
  await place(store, path, await deflateBytes(Buffer.concat([objectHeader(kind, content.length), content]), { level: 1 }), 0o444);
  return id;
}

/** Does what `writeObject` does for a blob that is a file, without holding it in memory. */
export async function writeBlobFile(store: Store, repo: string, file: string, touched: Touched): Promise<string> {
  const temporary = temporaryPath(store);
  const hash = createHash('sha1');
  const { size } = await stat(file);
  const whole = async function* (): AsyncGenerator<Buffer> {
    yield objectHeader('blob', size);
    yield* createReadStream(file, { highWaterMark: 1 << 20 });
  };
  const hashed = async function* (pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      hash.update(piece);
      yield piece;
    }
  };
  try {
    await pipeline(
      whole,
      hashed,
      createDeflate({ level: 1 }),
      createWriteStream(temporary, { flags: 'wx', mode: 0o444, flush: true }),
    );
    const id = hash.digest('hex');
    const path = objectFile(repo, id);
    touched.add(dirname(path));
    await moveInto(temporary, path);
    return id;
  } finally {
    await rm(temporary, { force: true });
  }
}

export async function syncTouched(touched: Touched): Promise<void> {
  for (const folder of touched) await syncFolder(folder);
}

/** Up to this size reading at once takes less time than handing the reading to a thread and back. Bytes, packed. */
const SMALL_BYTES = 64 << 10;

/** An object's content; `undefined` when the repo has none of that id and kind. Does not hash: see `objectId`. */
async function readObject(repo: string, kind: ObjectKind, id: string): Promise<Buffer | undefined> {
  const path = objectFile(repo, id);
  let bytes: Buffer;
  try {
    const isSmall = statSync(path).size <= SMALL_BYTES;
    bytes = isSmall ? inflateSync(readFileSync(path)) : await inflateBytes(await readFile(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return bytes.toString('latin1', 0, kind.length + 1) === `${kind} ` ? bytes.subarray(bytes.indexOf(0) + 1) : undefined;
}

export async function readCommit(repo: string, id: string): Promise<GitCommit | undefined> {
  const content = await readObject(repo, 'commit', id);
  return content === undefined ? undefined : decodeCommit(content);
}

/** The entries of a tree object, in git's order. Throws when the object is missing: the store is then damaged. */
export async function readTree(store: Store, repo: string, id: string): Promise<readonly GitTreeEntry[]> {
  const known = store.trees.get(id);
  if (known !== undefined) return known;
  const content = await readObject(repo, 'tree', id);
  if (content === undefined) throw new Error(`Tree ${id} is missing in ${repo}`);
  const entries = decodeTree(content);
  if (store.trees.size >= MAX_CACHED_TREES) store.trees.clear();
  store.trees.set(id, entries);
  return entries;
}

/** Size of a blob, and what it points to where it is a pointer; reads no more than its start. Throws when that is damaged. */
export async function blobFacts(store: Store, repo: string, id: string): Promise<BlobFacts> {
  const known = store.blobs.get(id);
  if (known !== undefined) return known;
  const start = objectStart(objectFile(repo, id));
  const gap = start.indexOf(0);
  const size = Number(start.toString('latin1', start.indexOf(0x20) + 1, gap));
  const content = start.subarray(gap + 1);
  // if a damaged pointer were read as a small text, nothing would hold the large file that it points to
  if (gap === -1 || (size <= MAX_POINTER_BYTES && content.length < size)) throw new Error(`Blob ${id} is cut short in ${repo}`);
  const facts = { size, lfs: size <= MAX_POINTER_BYTES ? parsePointer(content) : undefined };
  if (store.blobs.size >= MAX_CACHED_BLOBS) store.blobs.clear();
  store.blobs.set(id, facts);
  return facts;
}

/** The first bytes of a loose object, unpacked: at least its header, and the whole of it when it may be a pointer. */
function objectStart(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const packed = Buffer.alloc(1024);
    const bytesRead = readSync(file, packed, 0, packed.length, 0);
    // Z_SYNC_FLUSH (2): the piece may end in the middle of the stream
    return inflateSync(packed.subarray(0, bytesRead), { finishFlush: 2 });
  } finally {
    closeSync(file);
  }
}

/** A blob's bytes as the commit holds them (of a large file, its pointer); `damaged` when they are not those of the id. */
export async function readBlob(
  repo: string,
  id: string,
): Promise<{ readonly ok: true; readonly bytes: Buffer } | { readonly ok: false; readonly actual: string }> {
  const bytes = await readObject(repo, 'blob', id).catch(() => undefined);
  if (bytes === undefined) return { ok: false, actual: 'unreadable' };
  const actual = objectId('blob', bytes);
  return actual === id ? { ok: true, bytes } : { ok: false, actual };
}
