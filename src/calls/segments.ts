import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../base/atomic-write.ts';
import { OPEN, renameIfThere, segmentPath } from './segment-files.ts';

/** Where a line is. */
export interface Position {
  /** of the finished segment; until then the file is called PATH.open */
  readonly path: string;
  /** bytes */
  readonly offset: number;
  readonly length: number;
}

/**
 * Writes lines to `calls-NNNNNN-TAG.jsonl.open`, which becomes `calls-NNNNNN-TAG.jsonl` when it is finished: a file of that
 * name never changes again. No file is ever opened a second time for writing, so a torn tail stays where the crash left it;
 * the tag is this writer's alone, so that two processes in one folder leave one another's lines alone.
 */
export interface SegmentWriter {
  /** Resolves when the line is on disk. Lines that wait together share one write and one fdatasync. */
  write(line: Buffer): Promise<Position>;
  /** Finishes the segment at hand, if any. */
  roll(): Promise<void>;
  close(): Promise<void>;
  /** The disk is full: what was in flight went into the reserve, nothing new may be started. */
  readonly full: boolean;
}

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export interface SegmentLimits {
  /** A segment is finished when it has grown so far. */
  readonly segmentBytes: number;
  /** Kept free for the replies in flight when the disk fills up. */
  readonly reserveBytes: number;
}

/** `first`: the number of the first segment. */
export function segmentWriter(folder: string, first: number, limits: SegmentLimits): SegmentWriter {
  const tag = randomBytes(6).toString('hex');
  let reserve: FileHandle | undefined;
  let waiting: { line: Buffer; resolve: (at: Position) => void; reject: (error: unknown) => void }[] = [];
  let chain: Promise<void> = Promise.resolve();
  let scheduled = false;
  let file: FileHandle | undefined;
  let segment = first - 1;
  let size = 0;
  let full = false;

  async function begin(): Promise<FileHandle> {
    segment += 1;
    size = 0;
    file = await open(`${segmentPath(folder, segment, tag)}${OPEN}`, 'wx');
    await syncFolder(folder);
    if (!full && segment === first) await putAside();
    return file;
  }

  /** A file without a name: its space comes back when it is closed, by whatever end this process has. */
  async function putAside(): Promise<void> {
    const path = join(folder, `reserve-${tag}.tmp`);
    reserve = await open(path, 'wx');
    await rm(path);
    await reserve.writeFile(Buffer.alloc(limits.reserveBytes));
  }

  async function finish(): Promise<void> {
    if (file === undefined) return;
    const handle = file;
    file = undefined;
    await handle.close();
    const path = segmentPath(folder, segment, tag);
    // Another process may have taken this one for dead and finished its segment.
    await renameIfThere(`${path}${OPEN}`, path);
    await syncFolder(folder);
  }

  async function put(bytes: Buffer): Promise<void> {
    const handle = file ?? (await begin());
    for (let written = 0; written < bytes.length; ) {
      written += (await handle.write(bytes, written, bytes.length - written, size + written)).bytesWritten;
    }
    await handle.datasync();
  }

  /** Gives the reserve back to the disk and goes on in a fresh segment; the lines of a half-written batch are in both, which is harmless. */
  async function putIntoReserve(bytes: Buffer): Promise<void> {
    full = true;
    await reserve?.close();
    reserve = undefined;
    await finish();
    await put(bytes);
  }

  async function commit(): Promise<void> {
    scheduled = false;
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    try {
      const bytes = Buffer.concat(batch.map(({ line }) => line));
      await put(bytes).catch((error: NodeJS.ErrnoException) => {
        if (full || !FULL.has(error.code ?? '')) throw error;
        return putIntoReserve(bytes);
      });
      const path = segmentPath(folder, segment, tag);
      for (const { line, resolve } of batch) {
        resolve({ path, offset: size, length: line.length });
        size += line.length;
      }
      if (size >= limits.segmentBytes) await finish();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  return {
    get full() {
      return full;
    },
    write(line) {
      return new Promise((resolve, reject) => {
        waiting.push({ line, resolve, reject });
        if (scheduled) return;
        scheduled = true;
        chain = chain.then(commit);
      });
    },
    roll() {
      const rolled = chain.then(finish);
      chain = rolled.catch(() => undefined);
      return rolled;
    },
    async close() {
      await this.roll();
      await reserve?.close();
      reserve = undefined;
    },
  };
}
