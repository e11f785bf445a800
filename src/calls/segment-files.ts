import { type FileHandle, open, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../base/atomic-write.ts';

/** A segment that is being written; without this ending it never changes again. */
export const OPEN = '.open';

/** Names of segments that were written here; the tag is the writer's, so that no two writers share a name. */
const OWN = /^calls-(\d{6})-[0-9a-f]+\.jsonl(\.open)?$/;

export function segmentPath(folder: string, segment: number, tag: string): string {
  return join(folder, `calls-${String(segment).padStart(6, '0')}-${tag}.jsonl`);
}

export interface FoundSegments {
  /** whole paths without `.open`, in the order in which they are to be read */
  readonly paths: readonly string[];
  /** a number after all that were written here */
  readonly next: number;
}

/** The segments in a folder, those brought from another machine included (`*.jsonl` of any other name). Changes nothing. */
export async function findSegments(folder: string): Promise<FoundSegments> {
  const paths = new Set<string>();
  let next = 1;
  for (const name of (await namesIn(folder)).sort()) {
    const match = OWN.exec(name);
    if (match !== null) next = Math.max(next, Number(match[1]) + 1);
    const finished = name.endsWith(OPEN) ? name.slice(0, -OPEN.length) : name;
    if (finished.endsWith('.jsonl')) paths.add(join(folder, finished));
  }
  return { paths: [...paths], next };
}

/**
 * Finishes the segments that dead processes left open. A process that is alive after all goes on writing to its
 * file, under the new name.
 */
export async function finishSegments(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) {
    if (!name.endsWith(`.jsonl${OPEN}`)) continue;
    await renameIfThere(join(folder, name), join(folder, name.slice(0, -OPEN.length)));
  }
  await syncFolder(folder);
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

export async function renameIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

/** Opens a segment, whether it is finished, still open, or finished at this moment. */
export async function openSegment(path: string): Promise<FileHandle> {
  return open(path)
    .catch(() => open(`${path}${OPEN}`))
    .catch(() => open(path));
}

/** Bytes that are read at once: with this many the time of the system calls does not count. */
const PIECE_BYTES = 4 << 20;

/** Calls `each` for every whole line, without its newline and valid during the call only; a torn end is not a line. */
export async function scanLines(path: string, each: (line: Buffer, offset: number) => void): Promise<void> {
  const file = await openSegment(path);
  try {
    let buffer = Buffer.allocUnsafe(PIECE_BYTES);
    let filled = 0;
    for (let offset = 0; ; ) {
      const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, offset + filled);
      if (bytesRead === 0) return;
      filled += bytesRead;
      const bytes = buffer.subarray(0, filled);
      let start = 0;
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
        each(bytes.subarray(start, end), offset + start);
        start = end + 1;
      }
      buffer.copyWithin(0, start, filled);
      filled -= start;
      offset += start;
      if (filled === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
    }
  } finally {
    await file.close();
  }
}
