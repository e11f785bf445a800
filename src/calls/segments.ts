import { randomBytes } from 'node:crypto';
import { closeSync, fdatasync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { syncFolder } from '../base/atomic-write.ts';
import { isDiskFull } from '../errors.ts';
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
  /**
   * The line is in the file before the next event is heard of, where it outlives this process; resolves when it is on the
   * disk, where it outlives the machine. Lines of one turn share a write, and those that wait together an fdatasync.
   */
  write(line: Buffer): Promise<Position>;
  /** Finishes the segment at hand, if any. */
  roll(): Promise<void>;
  close(): Promise<void>;
  /** The disk is full: what was in flight went into the reserve, nothing new may be started. */
  readonly full: boolean;
}

export interface SegmentLimits {
  /** A segment is finished when it has grown so far. */
  readonly segmentBytes: number;
  /** Kept free for the replies in flight when the disk fills up. */
  readonly reserveBytes: number;
}

interface Segment {
  readonly path: string;
  readonly file: number;
  /** bytes of whole lines */
  size: number;
  /** The folder on the disk has its name. */
  isNamed: boolean;
}

interface PendingLine {
  readonly bytes: Buffer;
  readonly resolve: (at: Position) => void;
  readonly reject: (error: unknown) => void;
}

const datasync = promisify(fdatasync);

/** `first`: the number of the first segment. */
export function segmentWriter(folder: string, first: number, limits: SegmentLimits): SegmentWriter {
  const tag = randomBytes(6).toString('hex');
  let reserve: number | undefined;
  let next = first;
  let current: Segment | undefined;
  let full = false;
  /** on their way into a file */
  let waiting: PendingLine[] = [];
  /** on their way to the disk */
  let written: { readonly line: PendingLine; readonly segment: Segment; readonly offset: number }[] = [];
  /** Full, or to be handed on: finished when their lines are on the disk. */
  let retired: Segment[] = [];
  let last: Promise<void> = Promise.resolve();
  let isPlanned = false;

  function begin(): Segment {
    const path = segmentPath(folder, next, tag);
    const segment = { path, file: openSync(`${path}${OPEN}`, 'wx'), size: 0, isNamed: false };
    current = segment;
    next += 1;
    if (!full && next === first + 1) putAside();
    return segment;
  }

  /** A file without a name: its space comes back when it is closed, by whatever end this process has. */
  function putAside(): void {
    const path = join(folder, `reserve-${tag}.tmp`);
    reserve = openSync(path, 'wx');
    rmSync(path);
    put(reserve, Buffer.alloc(limits.reserveBytes), 0);
  }

  function put(file: number, bytes: Buffer, offset: number): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, offset + done);
  }

  function giveReserveBack(): void {
    if (reserve !== undefined) closeSync(reserve);
    reserve = undefined;
  }

  function retire(): void {
    if (current !== undefined) retired.push(current);
    current = undefined;
  }

  /** Puts all that waits into the file. Not a promise of it: nobody knows how long the process has. */
  function flush(): void {
    const lines = waiting;
    waiting = [];
    if (lines.length === 0) return;
    try {
      const segment = current ?? begin();
      put(segment.file, Buffer.concat(lines.map(({ bytes }) => bytes)), segment.size);
      for (const line of lines) {
        written.push({ line, segment, offset: segment.size });
        segment.size += line.bytes.length;
      }
      if (segment.size >= limits.segmentBytes) retire();
    } catch (error) {
      intoReserve(lines, error);
    }
    sync().catch(() => undefined);
  }

  /** Gives the reserve back to the disk and goes on in a fresh segment; a line may then be in both, which is harmless. */
  function intoReserve(lines: readonly PendingLine[], error: unknown): void {
    if (full || !isDiskFull(error)) {
      for (const { reject } of lines) reject(error);
      return;
    }
    full = true;
    giveReserveBack();
    retire();
    waiting = [...lines, ...waiting];
    flush();
  }

  /** Returns when all that is in a file by now is on the disk. */
  function sync(): Promise<void> {
    if (!isPlanned) last = last.catch(() => undefined).then(syncNow);
    isPlanned = true;
    return last;
  }

  async function syncNow(): Promise<void> {
    isPlanned = false;
    const lines = written;
    const done = retired;
    written = [];
    retired = [];
    try {
      for (const segment of new Set(lines.map((each) => each.segment))) {
        await datasync(segment.file);
        if (!segment.isNamed) await syncFolder(folder);
        segment.isNamed = true;
      }
      for (const { line, segment, offset } of lines) line.resolve({ path: segment.path, offset, length: line.bytes.length });
    } catch (error) {
      // A file whose fdatasync has failed may say the next time that all is well.
      const lost = [...lines, ...written];
      written = [];
      intoReserve(
        lost.map(({ line }) => line),
        error,
      );
    }
    for (const segment of done) await finish(segment);
  }

  async function finish({ file, path }: Segment): Promise<void> {
    closeSync(file);
    // Another process may have taken this one for dead and finished its segment.
    await renameIfThere(`${path}${OPEN}`, path);
    await syncFolder(folder);
  }

  return {
    get full() {
      return full;
    },
    write(bytes) {
      return new Promise((resolve, reject) => {
        if (waiting.length === 0) queueMicrotask(flush);
        waiting.push({ bytes, resolve, reject });
      });
    },
    async roll() {
      flush();
      retire();
      await sync();
    },
    async close() {
      await this.roll();
      giveReserveBack();
    },
  };
}
