import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, ownMark } from '../store/process-mark.ts';

/** Bytes of a file that one request brings. */
export interface FileRange {
  readonly start: number;
  /** exclusive */
  readonly end: number;
  /** bytes from `start` that are there */
  done: number;
}

/** Bytes of a mark, which says how much of a range is there: little-endian, behind the bytes of the file. */
const MARK_BYTES = 8;
/** Bytes of a range after which its mark is written: a killed process loses no more of it. */
const MARK_EVERY = 1 << 20;

/** Paths that this process writes to at the moment. */
const claimed = new Set<string>();

/**
 * A file that is brought range by range. The name holds the mark of its process, so that two at once do not write to one,
 * and what a dead process left is taken over. One range grows with the file; of several the file has all of its length from
 * the first byte on, and marks behind it.
 */
export class PartFile {
  readonly path: string;
  readonly size: number;
  /** What the server called the bytes that are there. */
  tag: string | undefined;
  /** False once the server has answered a range with the whole file. */
  isSplittable = true;
  ranges: FileRange[];
  readonly #file: FileHandle;
  readonly #marked = new Map<FileRange, number>();

  private constructor(file: FileHandle, path: string, ranges: FileRange[]) {
    [this.#file, this.path, this.ranges] = [file, path, ranges];
    this.size = ranges.at(-1)?.end ?? 0;
  }

  /** Takes `begun` over, whose ranges are as given, or begins a file of that name in the folder with none of them done. */
  static async open(folder: string, name: string, begun: string | undefined, ranges: readonly FileRange[]): Promise<PartFile> {
    await mkdir(folder, { recursive: true });
    let path = join(folder, `${name}.${ownMark()}.part`);
    for (let more = 2; claimed.has(path); more += 1) path = join(folder, `${name}.${ownMark()}:${more}.part`);
    claimed.add(path);
    const isTaken = begun !== undefined && (begun === path || (await rename(begun, path).then(...isDone)));
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | (isTaken ? 0 : constants.O_TRUNC), 0o644);
    const part = new PartFile(
      file,
      path,
      ranges.map((range) => ({ ...range, done: isTaken ? range.done : 0 })),
    );
    if (part.ranges.length > 1) for (const range of part.ranges) await part.#mark(range);
    return part;
  }

  get isWhole(): boolean {
    return this.ranges.every(({ start, end, done }) => done >= end - start);
  }

  async write(range: FileRange, piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; ) {
      const position = range.start + range.done;
      const { bytesWritten } = await this.#file.write(piece, at, piece.length - at, position);
      at += bytesWritten;
      range.done += bytesWritten;
    }
    if (range.done - (this.#marked.get(range) ?? 0) >= MARK_EVERY) await this.#mark(range);
  }

  /** Begins a range anew; returns how many bytes of it were there. */
  async restart(range: FileRange): Promise<number> {
    const lost = range.done;
    range.done = 0;
    if (this.ranges.length === 1) await this.#file.truncate(0);
    else await this.#mark(range);
    return lost;
  }

  /** Begins the file anew, as one range; returns how many bytes of it were there. */
  async restartWhole(): Promise<number> {
    const lost = this.ranges.reduce((sum, { done }) => sum + done, 0);
    this.ranges = [{ start: 0, end: this.size, done: 0 }];
    await this.#file.truncate(0);
    return lost;
  }

  /** Takes the marks away once every range is there. */
  async finish(): Promise<void> {
    if (this.ranges.length > 1) await this.#file.truncate(this.size);
  }

  async close(): Promise<void> {
    claimed.delete(this.path);
    if (!this.isWhole) for (const range of this.ranges) await this.#mark(range);
    await this.#file.close();
  }

  async #mark(range: FileRange): Promise<void> {
    this.#marked.set(range, range.done);
    if (this.ranges.length === 1) return;
    const mark = Buffer.alloc(MARK_BYTES);
    mark.writeBigUInt64LE(BigInt(range.done));
    await this.#file.write(mark, 0, MARK_BYTES, this.size + MARK_BYTES * this.ranges.indexOf(range));
  }
}

const isDone = [() => true, () => false] as const;

/** Part files in a folder that no living process writes to, by the names of the whole files. */
export async function unfinishedIn(folder: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const file of await readdir(folder).catch(() => [])) {
    const [, name = '', mark = ''] = /^([0-9a-f]+)\.(.+)\.part$/.exec(file) ?? [];
    const path = join(folder, file);
    const isOwn = mark.startsWith(ownMark());
    if (name !== '' && (isOwn ? !claimed.has(path) : !isAlive(mark))) found.set(name, path);
  }
  return found;
}

/** The ranges of a file of this size, and how much of each an unfinished one holds. */
export async function rangesOf(size: number, rangeBytes: number, begun: string | undefined): Promise<FileRange[]> {
  const count = size < 2 * rangeBytes ? 1 : Math.ceil(size / rangeBytes);
  const ranges = Array.from({ length: count }, (_, i) => {
    const start = i * rangeBytes;
    return { start, end: count === 1 ? size : Math.min(size, start + rangeBytes), done: 0 };
  });
  const length = begun === undefined ? 0 : ((await stat(begun).catch(() => undefined))?.size ?? 0);
  // without marks: all of it up to its end
  if (begun === undefined || length <= size)
    return ranges.map((range) => ({ ...range, done: Math.max(0, Math.min(length, range.end) - range.start) }));
  if (count === 1 || length !== size + MARK_BYTES * count) return ranges;
  await using file = await open(begun);
  const marks = Buffer.alloc(MARK_BYTES * count);
  await file.read(marks, 0, marks.length, size);
  return ranges.map((range, i) => {
    const done = Number(marks.readBigUInt64LE(MARK_BYTES * i));
    return { ...range, done: done > range.end - range.start ? 0 : done };
  });
}
