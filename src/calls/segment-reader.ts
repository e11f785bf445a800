import type { FileHandle } from 'node:fs/promises';
import PQueue from 'p-queue';
import { openSegment } from './segment-files.ts';

/** Reads from many segments, a few of which are open at any time. */
export interface SegmentReader {
  read(path: string, offset: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
}

const HANDLES = 128;

/** `handles`: files that are open at once at most. */
export function segmentReader(handles = HANDLES): SegmentReader {
  /** in the order of their last use */
  const opened = new Map<string, { readonly file: Promise<FileHandle>; readers: number }>();
  // Fewer reads than handles, so that there is always one that nobody reads from.
  const reads = new PQueue({ concurrency: Math.ceil(handles / 4) });

  async function take(path: string): Promise<{ readonly file: Promise<FileHandle>; readers: number }> {
    const found = opened.get(path);
    if (found !== undefined) {
      opened.delete(path);
      opened.set(path, found);
      found.readers += 1;
      return found;
    }
    const fresh = { file: openSegment(path), readers: 1 };
    opened.set(path, fresh);
    fresh.file.catch(() => opened.delete(path));
    if (opened.size > handles) {
      const [oldest, idle] = [...opened].find(([, { readers }]) => readers === 0) ?? [];
      if (oldest !== undefined) opened.delete(oldest);
      await (await idle?.file)?.close();
    }
    return fresh;
  }

  async function readNow(path: string, offset: number, length: number): Promise<Buffer> {
    const segment = await take(path);
    try {
      const bytes = Buffer.alloc(length);
      await (await segment.file).read(bytes, 0, length, offset);
      return bytes;
    } finally {
      segment.readers -= 1;
    }
  }

  return {
    read: (path, offset, length) => reads.add(() => readNow(path, offset, length)),
    async close() {
      await reads.onIdle();
      const all = [...opened.values()];
      opened.clear();
      await Promise.all(all.map(async ({ file }) => (await file).close()));
    },
  };
}
