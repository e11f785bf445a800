import { pipeline, type Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { linesIn } from '../base/ndjson.ts';
import type { Compression } from './formats.ts';

type JsonRow = Readonly<Record<string, unknown>>;

/** A row with the number of its line; without `row` the line is no JSON object, and `text` says what it is. */
export type NumberedLine =
  | { readonly number: number; readonly row: JsonRow }
  | { readonly number: number; readonly row: undefined; readonly text: string };

/** A file that is one list in JSON is read whole, bytes. */
const MAX_LIST_BYTES = 512 << 20;

/**
 * Objects of a file of JSON Lines, or of a file that is one list of objects; a list of texts gives `{text}`, as in
 * `datasets`. Blank lines are passed over. Throws what the file system, the decompression and a list that is no JSON throw.
 */
export async function* jsonLinesIn(packed: Readable, compression: Compression): AsyncGenerator<NumberedLine> {
  const bytes = unpacked(packed, compression);
  let number = 0;
  let isFirst = true;
  try {
    const batches = linesIn(bytes);
    for await (const lines of batches)
      for (const [index, text] of lines.entries()) {
        number += 1;
        if (text.trim() === '') continue;
        if (isFirst && /^\s*\[/.test(text)) {
          yield* listed(await whole(lines.slice(index), batches));
          return;
        }
        isFirst = false;
        const row = rowIn(text);
        yield row === undefined ? { number, row, text } : { number, row };
      }
  } finally {
    bytes.destroy();
  }
}

function unpacked(packed: Readable, compression: Compression): Readable {
  if (compression === 'none') return packed;
  // the reader of the lines throws an error of the stream
  return pipeline(packed, compression === 'gzip' ? createGunzip() : createZstdDecompress(), () => {});
}

async function whole(first: readonly string[], rest: AsyncIterable<string[]>): Promise<string> {
  const lines = [...first];
  let length = lines.reduce((sum, line) => sum + line.length, 0);
  for await (const more of rest) {
    for (const line of more) {
      lines.push(line);
      length += line.length;
    }
    if (length > MAX_LIST_BYTES) throw new RangeError(`a list of more than ${MAX_LIST_BYTES} bytes, expected one object a line`);
  }
  return lines.join('\n');
}

function* listed(text: string): Generator<NumberedLine> {
  const values = JSON.parse(withoutNaN(text)) as unknown[];
  for (const [index, value] of values.entries()) {
    const row = typeof value === 'string' ? { text: value } : value;
    yield isObject(row) ? { number: index + 1, row } : { number: index + 1, row: undefined, text: String(JSON.stringify(value)) };
  }
}

/** The object that a line holds; undefined when it holds something else, or is no JSON. */
function rowIn(text: string): JsonRow | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    const changed = withoutNaN(text);
    return changed === text ? undefined : rowIn(changed);
  }
}

/** Python writes numbers that are none, which JSON does not know, as bare words; they become null. */
function withoutNaN(text: string): string {
  return text.replaceAll(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/gs, (found) => (found.startsWith('"') ? found : 'null'));
}

function isObject(value: unknown): value is JsonRow {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
