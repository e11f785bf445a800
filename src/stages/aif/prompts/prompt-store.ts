import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';

/** A prompt that passed every look at it alone. */
export interface Candidate {
  readonly prompt_id: string;
  readonly source: string;
  /** index of its source in the recipe */
  readonly entry: number;
  /** equal prompts that were merged into it, itself included */
  copies: number;
}

export interface Candidates {
  /** by number, as they were added */
  readonly all: readonly Candidate[];
  has(promptId: string): boolean;
  /** Returns its number. */
  add(candidate: Omit<Candidate, 'copies'>, text: string): number;
  merge(number: number): void;
  textOf(number: number): string;
  close(): void;
}

/** Bytes that are written at once. */
const CHUNK = 1 << 20;

/** Candidates with their texts in a file of their own, so that memory holds a million of them. `close` removes the file. */
export function openCandidates(path: string): Candidates {
  const file = openSync(path, 'w+');
  const all: Candidate[] = [];
  const ids = new Set<string>();
  /** where each text ends in the file */
  const ends: number[] = [];
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let end = 0;

  function flush(): void {
    const bytes = Buffer.concat(pending);
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, end - pendingBytes + at);
    pending = [];
    pendingBytes = 0;
  }

  return {
    all,
    has: (promptId) => ids.has(promptId),
    add(candidate, text) {
      const bytes = Buffer.from(text);
      pending.push(bytes);
      pendingBytes += bytes.length;
      end += bytes.length;
      ends.push(end);
      ids.add(candidate.prompt_id);
      if (pendingBytes >= CHUNK) flush();
      return all.push({ ...candidate, copies: 1 }) - 1;
    },
    merge(number) {
      (all[number] as Candidate).copies += 1;
    },
    textOf(number) {
      flush();
      const start = ends[number - 1] ?? 0;
      const bytes = Buffer.alloc((ends[number] as number) - start);
      for (let at = 0; at < bytes.length; ) at += readSync(file, bytes, at, bytes.length - at, start + at);
      return bytes.toString();
    },
    close() {
      closeSync(file);
      rmSync(path);
    },
  };
}
