import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** The file of a batch before it is written: its name is in the log first, so that no file is ever forgotten. */
export interface RequestFile {
  /** SHA-256 of the tag and its content, in hex digits */
  readonly sha: string;
  /** `zephyr-TAG-SHA.jsonl`; the tag is this process's, so that no other run's batch of the same calls is taken for this one */
  readonly name: string;
  readonly write: () => Promise<string>;
}

/** Bytes that are written at once. */
const PIECE_BYTES = 1 << 20;

/** `lines`: gives the lines of the file, without newlines, as often as it is called. `write` returns the path. */
export async function requestFile(folder: string, tag: string, lines: () => AsyncIterable<string>): Promise<RequestFile> {
  // The tag makes the same calls another batch when the next process plans them again.
  const hash = createHash('sha256').update(tag);
  for await (const line of lines()) hash.update(line).update('\n');
  const sha = hash.digest('hex');
  const name = `zephyr-${tag}-${sha.slice(0, 16)}.jsonl`;
  return {
    sha,
    name,
    async write() {
      const path = requestPath(folder, name);
      const file = await open(path, 'w');
      try {
        let piece = '';
        for await (const line of lines()) {
          piece += `${line}\n`;
          if (piece.length < PIECE_BYTES) continue;
          await file.writeFile(piece);
          piece = '';
        }
        await file.writeFile(piece);
      } finally {
        await file.close();
      }
      return path;
    },
  };
}

/** Not `.jsonl`: in this folder that would be a segment of the log. */
export function requestPath(folder: string, name: string): string {
  return join(folder, `${name}.tmp`);
}
