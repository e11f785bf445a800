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
    return linesFrom(bytes.subarray(0, bytesRead), 0).map(({ text, end }) => ({ text, end: offset + end }));
  } finally {
    await file.close();
  }
}

/** Does what `readLinesFrom` does with bytes that are in memory. */
export function linesFrom(data: Uint8Array, offset: number): Line[] {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const lines: Line[] = [];
  let start = offset;
  for (let newline = bytes.indexOf(10, start); newline >= 0; newline = bytes.indexOf(10, start)) {
    lines.push({ text: bytes.toString('utf8', start, newline), end: newline + 1 });
    start = newline + 1;
  }
  return lines;
}

/** No line is held in memory beyond this, bytes. */
const MAX_LINE_BYTES = 256 << 20;

/**
 * The whole lines of each piece of a stream, the last one also without its newline. Only a line feed ends a line of JSON
 * Lines (jsonlines.org): `readline` also ends one at U+2028 and U+2029, which are ordinary characters of a JSON string. Of
 * CR LF both are left out, as is a byte order mark before the first line. Throws on a line of more than 256 MiB.
 */
export async function* linesIn(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string[], undefined> {
  let rest: Uint8Array[] = [];
  let held = 0;
  let isFirst = true;
  const linesOf = (parts: readonly Uint8Array[]): string[] => {
    const text = Buffer.concat(parts).toString('utf8');
    const lines = (isFirst && text.startsWith('\uFEFF') ? text.slice(1) : text).split('\n');
    isFirst = false;
    return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  };
  for await (const piece of pieces) {
    const end = piece.lastIndexOf(10);
    if (end >= 0) yield linesOf([...rest, piece.subarray(0, end)]);
    if (end >= 0) [rest, held] = [[], 0];
    rest.push(piece.subarray(end + 1));
    held += piece.length - end - 1;
    if (held > MAX_LINE_BYTES) throw new RangeError(`a line has more than ${MAX_LINE_BYTES} bytes`);
  }
  if (held > 0) yield linesOf(rest);
}

/** Ends of lines to other readers, and in a JSON string nothing but characters: U+0085, U+2028, U+2029. */
const LINE_ENDS = /[\u0085\u2028\u2029]/g;

/** A value as JSON that is one line, whatever ends a line for who reads it. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(LINE_ENDS, (end) => `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A value as a line of JSON Lines, with its newline. */
export function jsonLine(value: unknown): string {
  return `${jsonText(value)}\n`;
}

/** The object that a line of JSON Lines holds; undefined when it holds something else, or is no JSON. */
export function objectIn(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    // trims white space and the mark (BOM) that some editors put before the first line
    const value: unknown = JSON.parse(line.trim());
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
