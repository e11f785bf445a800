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

export interface SegmentLimits {
  /** A segment is finished when it has grown to this size. */
  readonly segmentBytes: number;
  /** Bytes that the log keeps free, for the replies in flight when the disk fills up. */
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

/**
 * Writes lines to `calls-NNNNNN-TAG.jsonl.open`, which becomes `calls-NNNNNN-TAG.jsonl` when it is finished: a file of that
 * name never changes again. No file is ever opened a second time for writing, so a torn tail stays where the crash left it;
 * the tag is this writer's alone, so that two processes in one folder leave one another's lines alone.
 */
export class SegmentWriter {
  readonly #folder: string;
  readonly #limits: SegmentLimits;
  readonly #tag = randomBytes(6).toString('hex');
  /** the file that keeps some space free, as long as it does */
  #reserve: number | undefined;
  #hasReserved = false;
  #next: number;
  #current: Segment | undefined;
  #full = false;
  /** on their way into a file */
  #waiting: PendingLine[] = [];
  /** on their way to the disk */
  #written: { readonly line: PendingLine; readonly segment: Segment; readonly offset: number }[] = [];
  /** Full, or to be handed on: they are finished when their lines are on the disk. */
  #retired: Segment[] = [];
  #lastSync: Promise<void> = Promise.resolve();
  #isSyncPlanned = false;

  /** `first`: the number of the first segment. */
  constructor(folder: string, first: number, limits: SegmentLimits) {
    this.#folder = folder;
    this.#next = first;
    this.#limits = limits;
  }

  /** The disk is full: what was in flight went into the reserve, and nothing new may be started. */
  get full(): boolean {
    return this.#full;
  }

  /**
   * The line is in the file before the next event is heard of, where it outlives this process; the promise resolves when it
   * is on the disk, where it outlives the machine. Lines of one turn share a write, and those that wait together an fdatasync.
   */
  write(bytes: Buffer): Promise<Position> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) queueMicrotask(() => this.#flush());
      this.#waiting.push({ bytes, resolve, reject });
    });
  }

  /** Finishes the segment at hand, if any. */
  async roll(): Promise<void> {
    this.#flush();
    this.#retire();
    await this.#sync();
  }

  async close(): Promise<void> {
    await this.roll();
    this.#giveReserveBack();
  }

  #begin(): Segment {
    const path = segmentPath(this.#folder, this.#next, this.#tag);
    const segment = { path, file: openSync(`${path}${OPEN}`, 'wx'), size: 0, isNamed: false };
    this.#current = segment;
    this.#next += 1;
    if (!this.#full && !this.#hasReserved) this.#putAside();
    return segment;
  }

  /** A file without a name: the disk gets its space back when it is closed, by whatever end this process has. */
  #putAside(): void {
    this.#hasReserved = true;
    const path = join(this.#folder, `reserve-${this.#tag}.tmp`);
    this.#reserve = openSync(path, 'wx');
    rmSync(path);
    put(this.#reserve, Buffer.alloc(this.#limits.reserveBytes), 0);
  }

  #giveReserveBack(): void {
    if (this.#reserve !== undefined) closeSync(this.#reserve);
    this.#reserve = undefined;
  }

  #retire(): void {
    if (this.#current !== undefined) this.#retired.push(this.#current);
    this.#current = undefined;
  }

  /** Puts all that waits into the file, in this turn: the process may be killed in the next. */
  #flush(): void {
    const lines = this.#waiting;
    this.#waiting = [];
    if (lines.length === 0) return;
    try {
      const segment = this.#current ?? this.#begin();
      put(segment.file, Buffer.concat(lines.map(({ bytes }) => bytes)), segment.size);
      for (const line of lines) {
        this.#written.push({ line, segment, offset: segment.size });
        segment.size += line.bytes.length;
      }
      if (segment.size >= this.#limits.segmentBytes) this.#retire();
    } catch (error) {
      this.#intoReserve(lines, error);
    }
    this.#sync().catch(() => undefined);
  }

  /** Gives the reserve back to the disk and goes on in a fresh segment; a line may then be in both, which is harmless. */
  #intoReserve(lines: readonly PendingLine[], error: unknown): void {
    if (this.#full || !isDiskFull(error)) {
      for (const { reject } of lines) reject(error);
      return;
    }
    this.#full = true;
    this.#giveReserveBack();
    this.#retire();
    this.#waiting = [...lines, ...this.#waiting];
    this.#flush();
  }

  /** Resolves when all that is in a file by now is on the disk. */
  #sync(): Promise<void> {
    if (!this.#isSyncPlanned) this.#lastSync = this.#lastSync.catch(() => undefined).then(() => this.#syncNow());
    this.#isSyncPlanned = true;
    return this.#lastSync;
  }

  async #syncNow(): Promise<void> {
    this.#isSyncPlanned = false;
    const lines = this.#written;
    const done = this.#retired;
    this.#written = [];
    this.#retired = [];
    try {
      for (const segment of new Set(lines.map((each) => each.segment))) {
        await datasync(segment.file);
        if (!segment.isNamed) await syncFolder(this.#folder);
        segment.isNamed = true;
      }
      for (const { line, segment, offset } of lines) line.resolve({ path: segment.path, offset, length: line.bytes.length });
    } catch (error) {
      // After a failed fdatasync the next one may report success although bytes are lost.
      const lost = [...lines, ...this.#written];
      this.#written = [];
      this.#intoReserve(
        lost.map(({ line }) => line),
        error,
      );
    }
    for (const segment of done) await this.#finish(segment);
  }

  async #finish({ file, path }: Segment): Promise<void> {
    closeSync(file);
    // Another process may have believed this one dead and finished its segment.
    await renameIfThere(`${path}${OPEN}`, path);
    await syncFolder(this.#folder);
  }
}

function put(file: number, bytes: Buffer, offset: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, offset + done);
}
