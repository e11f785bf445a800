import { appendFileSync, closeSync, openSync } from 'node:fs';
import type { Json } from '../../base/canonical-json.ts';

/** A JSON Lines file that is there from its first line on. */
export interface LineFile {
  add(row: Readonly<Record<string, Json>>): void;
  close(): void;
}

/** Characters that are held back and written together. */
const CHUNK = 1 << 18;

export function openLineFile(path: string): LineFile {
  let file: number | undefined;
  let pending = '';
  function flush(): void {
    if (pending === '') return;
    file ??= openSync(path, 'a');
    appendFileSync(file, pending);
    pending = '';
  }
  return {
    add(row) {
      pending += `${JSON.stringify(row)}\n`;
      if (pending.length >= CHUNK) flush();
    },
    close() {
      flush();
      if (file !== undefined) closeSync(file);
    },
  };
}
