import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type Hashes, hasher } from './hashes.ts';
import { authorization, type Remote, refusal, tryOnce } from './hub-request.ts';
import { AwayError } from './retry-policy.ts';

/** Milliseconds without a byte after which a connection is given up and the rest asked for over another. */
const LIMIT = { ms: 60_000, isTransfer: true };

export interface Download {
  readonly address: string;
  /** bytes that the Hub's listing says */
  readonly size: number;
  readonly action: string;
  readonly isNoEntry: (response: Response) => boolean;
}

/** What lies in a file, hashed. */
export async function hashFile(path: string, size: number): Promise<Hashes> {
  return (await hashBeginning(path, size)).done();
}

async function hashBeginning(path: string, size: number): Promise<ReturnType<typeof hasher>> {
  const hash = hasher(size);
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) hash.update(piece);
  return hash;
}

/**
 * Brings a file's bytes to `part`. A connection that breaks goes on where it broke (RFC 9110, section 14), also from what
 * another process left in `part`; where the server cannot, the file begins anew. The bytes are hashed as they come, and not
 * compared with anything: more may come than was expected, or fewer. `undefined` where the Hub has no such file.
 */
export async function download(remote: Remote, what: Download, part: string, isSecond = false): Promise<Hashes | undefined> {
  const file = await open(part, 'a+', 0o644);
  try {
    const state: State = { hash: await hashBeginning(part, what.size), tag: undefined, furthest: 0 };
    remote.moved(state.hash.length());
    if (state.hash.length() > what.size) await restart(file, state, what);
    return await remote.retries.insist(async () => {
      const before = state.hash.length();
      try {
        const isThere = (before === what.size && before > 0) || (await more(remote, what, file, state, isSecond));
        return isThere ? state.hash.done() : undefined;
      } catch (error) {
        if (!(error instanceof AwayError)) throw error;
        // what comes once more after a restart is no progress
        const advanced = state.hash.length() > Math.max(before, state.furthest);
        state.furthest = Math.max(state.furthest, state.hash.length());
        throw advanced ? new AwayError(error.why, error.kind, { ...error, advanced, cause: error }) : error;
      }
    });
  } finally {
    await file.close();
  }
}

interface State {
  hash: ReturnType<typeof hasher>;
  /** what the server called the bytes that are there */
  tag: string | undefined;
  /** how many bytes there have ever been */
  furthest: number;
}

async function restart(file: FileHandle, state: State, { size }: Download): Promise<void> {
  await file.truncate(0);
  state.hash = hasher(size);
}

/** Asks for what is missing; `false` where there is no such file. Ends when the whole of it is there. */
async function more(remote: Remote, what: Download, file: FileHandle, state: State, isSecond: boolean): Promise<boolean> {
  const from = state.hash.length();
  const headers: Record<string, string> = {
    ...authorization(remote),
    // a range of compressed bytes is of no use
    'Accept-Encoding': 'identity',
    ...(from === 0 ? {} : { Range: `bytes=${from}-` }),
    ...(from === 0 || state.tag === undefined ? {} : { 'If-Range': state.tag }),
    ...(isSecond ? { 'Cache-Control': 'no-cache' } : {}),
  };
  return await tryOnce(remote.plain, remote.retries, LIMIT, what.address, { headers }, async (response, alive) => {
    if (what.isNoEntry(response)) return false;
    if (response.status === 416) return await endsThere(what, file, state, response);
    if (!response.ok) throw await refusal(remote, what.action, response);
    const isRest = response.status === 206 && startOf(response) === from && !response.headers.has('Content-Encoding');
    if (from > 0 && response.status === 206 && !isRest) {
      await response.body?.cancel();
      await restart(file, state, what);
      throw new AwayError('a range that was not asked for', 'answer');
    }
    if (!isRest && from > 0) await restart(file, state, what);
    const tag = response.headers.get('ETag');
    state.tag = tag === null || tag.startsWith('W/') || response.headers.has('Content-Encoding') ? undefined : tag;
    for await (const piece of response.body ?? []) {
      alive();
      await writeAll(file, piece);
      state.hash.update(piece);
      remote.moved(piece.length);
      // whoever sends more than the listing says is found out by then
      if (state.hash.length() > what.size) return true;
    }
    if (state.hash.length() < what.size) throw new AwayError('connection lost', 'no-answer');
    return true;
  });
}

async function writeAll(file: FileHandle, piece: Uint8Array): Promise<void> {
  for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten;
}

function startOf({ headers }: Response): number | undefined {
  const start = /^bytes (\d+)-/.exec(headers.get('Content-Range') ?? '')?.[1];
  return start === undefined ? undefined : Number(start);
}

/** 416: the server's file ends before the range. One that ends just where ours does is all that there is. */
async function endsThere(what: Download, file: FileHandle, state: State, response: Response): Promise<boolean> {
  const total = /^bytes \*\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '')?.[1];
  await response.body?.cancel();
  if (Number(total) === state.hash.length()) return true;
  await restart(file, state, what);
  throw new AwayError('a range that it does not have', 'answer');
}
