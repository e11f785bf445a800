import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Where a text lies. */
export interface Span {
  /** number of its file */
  readonly file: number;
  /** bytes */
  readonly offset: number;
  readonly length: number;
}

interface SpillFile {
  readonly handle: Promise<FileHandle>;
  size: number;
  /** texts in it that are still needed */
  texts: number;
}

/** Bytes after which the next file is begun. */
const FILE_BYTES = 64 << 20;

/**
 * Texts that are too many for the memory, on disk for as long as this process lives. The files in `folder` have no name: the
 * disk gets their space back by whatever end the process has.
 */
export class SpillFiles {
  readonly #folder: string;
  readonly #fileBytes: number;
  readonly #files = new Map<number, SpillFile>();
  #newest = 0;

  constructor(folder: string, fileBytes = FILE_BYTES) {
    this.#folder = folder;
    this.#fileBytes = fileBytes;
  }

  async put(text: string): Promise<Span> {
    const bytes = Buffer.from(text);
    const file = this.#fileFor(bytes.length);
    const span = { file: this.#newest, offset: file.size, length: bytes.length };
    file.size += bytes.length;
    file.texts += 1;
    const handle = await file.handle;
    for (let done = 0; done < bytes.length; )
      done += (await handle.write(bytes, done, bytes.length - done, span.offset + done)).bytesWritten;
    return span;
  }

  async read({ file, offset, length }: Span): Promise<string> {
    const handle = await this.#files.get(file)?.handle;
    if (handle === undefined) throw new Error('Cannot read a text that was dropped');
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) throw new Error('Cannot read a text that was not written');
      done += bytesRead;
    }
    return bytes.toString('utf8');
  }

  /** The text is not needed any more; the disk gets the space back when no text of its file is. */
  drop({ file: number }: Span): void {
    const file = this.#files.get(number);
    if (file === undefined) return;
    file.texts -= 1;
    this.#discard(number, file);
  }

  async close(): Promise<void> {
    const all = [...this.#files.values()];
    this.#files.clear();
    await Promise.all(all.map(({ handle }) => handle.then((opened) => opened.close()).catch(() => undefined)));
  }

  #fileFor(bytes: number): SpillFile {
    const last = this.#files.get(this.#newest);
    if (last !== undefined && last.size + bytes <= this.#fileBytes) return last;
    this.#newest += 1;
    if (last !== undefined) this.#discard(this.#newest - 1, last);
    const file = { handle: openUnnamed(this.#folder), size: 0, texts: 0 };
    // `put` awaits the handle, so it rejects if the file cannot be opened.
    file.handle.catch(() => undefined);
    this.#files.set(this.#newest, file);
    return file;
  }

  #discard(number: number, file: SpillFile): void {
    if (file.texts > 0 || number === this.#newest) return;
    this.#files.delete(number);
    void file.handle.then((handle) => handle.close()).catch(() => undefined);
  }
}

async function openUnnamed(folder: string): Promise<FileHandle> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `bodies-${randomBytes(6).toString('hex')}.tmp`);
  const handle = await open(path, 'wx+');
  await rm(path);
  return handle;
}
