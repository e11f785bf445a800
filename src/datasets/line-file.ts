import { appendFileSync } from 'node:fs';
import type { Json } from '../base/canonical-json.ts';

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
      pending += `${JSON.stringify(row)}\n`;
      if (pending.length >= CHUNK) flush();
    },
    close: flush,
  };
}
