import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';

/** A prompt that passed every check of it alone. */
export interface StoredPrompt {
  readonly prompt_id: string;
  readonly source: string;
  /** index of its source in the recipe */
  readonly entry: number;
  /** equal prompts that were merged into it, itself included */
  copies: number;
}

/** Bytes that are written at once. */
const CHUNK = 1 << 20;

/** Prompts with their texts in a file of their own, so that memory holds a million of them. `close` removes the file. */
export class PromptStore {
  /** by number, as they were added */
  readonly all: StoredPrompt[] = [];
  readonly #path: string;
  readonly #file: number;
  readonly #ids = new Set<string>();
  /** where each text ends in the file */
  readonly #ends: number[] = [];
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, 'w+');
  }

  has(promptId: string): boolean {
    return this.#ids.has(promptId);
  }

  /** Returns its number. */
  add(prompt: Omit<StoredPrompt, 'copies'>, text: string): number {
    const bytes = Buffer.from(text);
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    this.#ends.push(this.#end + bytes.length);
    this.#ids.add(prompt.prompt_id);
    if (this.#pendingBytes >= CHUNK) this.#flush();
    return this.all.push({ ...prompt, copies: 1 }) - 1;
  }

  merge(number: number): void {
    (this.all[number] as StoredPrompt).copies += 1;
  }

  textOf(number: number): string {
    this.#flush();
    const start = this.#ends[number - 1] ?? 0;
    const bytes = Buffer.alloc((this.#ends[number] as number) - start);
    for (let at = 0; at < bytes.length; ) at += readSync(this.#file, bytes, at, bytes.length - at, start + at);
    return bytes.toString();
  }

  close(): void {
    closeSync(this.#file);
    rmSync(this.#path);
  }

  get #end(): number {
    return this.#ends.at(-1) ?? 0;
  }

  #flush(): void {
    const bytes = Buffer.concat(this.#pending);
    const start = this.#end - bytes.length;
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at, bytes.length - at, start + at);
    this.#pending = [];
    this.#pendingBytes = 0;
  }
}
