import type { FileHandle } from 'node:fs/promises';
import PQueue from 'p-queue';
import { openSegment } from './segment-files.ts';

interface OpenSegment {
  readonly file: Promise<FileHandle>;
  readers: number;
}

const HANDLES = 128;

/** Reads from many segments, a few of which are open at any time. */
export class SegmentReader {
  readonly #handles: number;
  /** in the order of their last use */
  readonly #opened = new Map<string, OpenSegment>();
  readonly #reads: PQueue;

  /** `handles`: files that are open at once at most. */
  constructor(handles = HANDLES) {
    this.#handles = handles;
    // Fewer reads than handles, so that one of the handles is always idle.
    this.#reads = new PQueue({ concurrency: Math.ceil(handles / 4) });
  }

  read(path: string, offset: number, length: number): Promise<Buffer> {
    return this.#reads.add(async () => {
      const segment = await this.#take(path);
      try {
        const bytes = Buffer.alloc(length);
        await (await segment.file).read(bytes, 0, length, offset);
        return bytes;
      } finally {
        segment.readers -= 1;
      }
    });
  }

  async close(): Promise<void> {
    await this.#reads.onIdle();
    const all = [...this.#opened.values()];
    this.#opened.clear();
    await Promise.all(all.map(async ({ file }) => (await file).close()));
  }

  async #take(path: string): Promise<OpenSegment> {
    const found = this.#opened.get(path);
    if (found !== undefined) {
      this.#opened.delete(path);
      this.#opened.set(path, found);
      found.readers += 1;
      return found;
    }
    const fresh = { file: openSegment(path), readers: 1 };
    this.#opened.set(path, fresh);
    fresh.file.catch(() => this.#opened.delete(path));
    if (this.#opened.size > this.#handles) {
      const [oldest, idle] = [...this.#opened].find(([, { readers }]) => readers === 0) ?? [];
      if (oldest !== undefined) this.#opened.delete(oldest);
      await (await idle?.file)?.close();
    }
    return fresh;
  }
}
