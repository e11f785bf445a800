import { type FileHandle, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../base/atomic-write.ts';
import { ZephyrError } from '../errors.ts';

/** Where a line is. */
export interface Position {
  /** of the finished segment; until then the file is called PATH.open */
  readonly path: string;
  /** bytes */
  readonly offset: number;
  readonly length: number;
}

/**
 * Writes lines to `calls-NNNNNN.jsonl.open`, which becomes `calls-NNNNNN.jsonl` when it is finished: a file of that name
 * never changes again. No file is ever opened a second time for writing, so a torn tail stays where the crash left it.
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

const NAME = /^calls-(\d{6})\.jsonl(\.open)?$/;
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

function segmentPath(folder: string, segment: number): string {
  return join(folder, `calls-${String(segment).padStart(6, '0')}.jsonl`);
}

export interface FoundSegments {
  /** whole paths, in the order in which they are to be read */
  readonly paths: readonly string[];
  /** the number after the last one written here */
  readonly next: number;
}

/**
 * The segments in a folder, those brought from another machine included (`*.jsonl` of any other name). One that a dead
 * process left open is finished first.
 */
export async function finishedSegments(folder: string): Promise<FoundSegments> {
  const paths: string[] = [];
  let next = 1;
  for (const name of (await readdir(folder)).sort()) {
    const match = NAME.exec(name);
    if (match !== null) next = Math.max(next, Number(match[1]) + 1);
    const path = join(folder, name.replace(/\.open$/, ''));
    if (match?.[2] !== undefined) await rename(join(folder, name), path);
    if (path.endsWith('.jsonl')) paths.push(path);
  }
  await syncFolder(folder);
  return { paths, next };
}

export interface SegmentLimits {
  /** A segment is finished when it has grown so far. */
  readonly segmentBytes: number;
  /** Kept free for the replies in flight when the disk fills up. */
  readonly reserveBytes: number;
}

export function segmentWriter(folder: string, first: number, limits: SegmentLimits): SegmentWriter {
  const reserve = join(folder, 'reserve.tmp');
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
    const path = `${segmentPath(folder, segment)}.open`;
    try {
      file = await open(path, 'wx');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      throw new ZephyrError(`Cannot write "${path}": another zephyr writes this call log`, { exit: 'conflict' });
    }
    await syncFolder(folder);
    if (!full && segment === first) await writeFile(reserve, Buffer.alloc(limits.reserveBytes));
    return file;
  }

  async function finish(): Promise<void> {
    if (file === undefined) return;
    const handle = file;
    file = undefined;
    await handle.close();
    const path = segmentPath(folder, segment);
    await rename(`${path}.open`, path);
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
    await rm(reserve, { force: true });
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
      for (const { line, resolve } of batch) {
        resolve({ path: segmentPath(folder, segment), offset: size, length: line.length });
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
      await rm(reserve, { force: true });
    },
  };
}
