import { open } from 'node:fs/promises';

export interface Line {
  readonly text: string;
  /** Byte offset just after the line's newline: where the next read goes on. */
  readonly end: number;
}

/** The whole lines of a growing file from a byte offset on; a last line without its newline is not there yet. */
export async function readLinesFrom(path: string, offset: number): Promise<Line[]> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  try {
    const { size } = await file.stat();
    if (size <= offset) return [];
    const bytes = Buffer.alloc(size - offset);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, offset);
    const lines: Line[] = [];
    let start = 0;
    for (let newline = bytes.indexOf(10); newline >= 0 && newline < bytesRead; newline = bytes.indexOf(10, start)) {
      lines.push({ text: bytes.toString('utf8', start, newline), end: offset + newline + 1 });
      start = newline + 1;
    }
    return lines;
  } finally {
    await file.close();
  }
}

/** The object that a line of JSON Lines holds; undefined when it holds something else, or is no JSON. */
export function objectIn(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    // trimmed of white space and of the mark (BOM) that some editors put before the first line
    const value: unknown = JSON.parse(line.trim());
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
