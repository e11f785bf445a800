import { appendFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { Json } from '../base/canonical-json.ts';
import { jsonLine } from '../base/ndjson.ts';

/** A JSON Lines file that is there from its first line on, written a chunk at a time; `close` writes the last one. */
export interface LineFile {
  add(row: Readonly<Record<string, Json>>): void;
  close(): void;
}

/** Characters that are held back and written together. */
const CHUNK = 1 << 18;

export function openLineFile(path: string): LineFile {
  let pending = '';
  function flush(): void {
    if (pending !== '') appendFileSync(path, pending);
    pending = '';
  }
  return {
    add(row) {
      pending += jsonLine(row);
      if (pending.length >= CHUNK) flush();
    },
    close: flush,
  };
}

/** A JSON Lines file of a few rows, at once. */
export async function writeLines(path: string, rows: readonly object[]): Promise<void> {
  await writeFile(path, rows.map(jsonLine).join(''));
}
