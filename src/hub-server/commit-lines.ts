import { randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { HttpError } from './exchange.ts';

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The parser writes a text longer than this to disk while it comes in; only the base64 of a file is that long. */
const SPILL_BYTES = 256 << 10;
/** Bytes of a line at most, without its file contents. */
const MAX_LINE_BYTES = 16 << 20;

/** One line of a commit's body. In its text a spilled content stands as `mark` and the index in `spilled`. */
export interface CommitLine {
  readonly text: string;
  readonly mark: string;
  /** files of decoded content */
  readonly spilled: readonly string[];
}

/**
 * Cuts a commit's NDJSON body into lines without ever holding a file's content: a line may have 100 MB, and a JavaScript
 * text ends at 512 MB. Long texts are decoded from base64 into files of `newFile`.
 */
export async function* commitLines(body: AsyncIterable<Buffer>, newFile: () => string): AsyncGenerator<CommitLine> {
  const cutter = new LineCutter(newFile);
  try {
    for await (const chunk of body) {
      for (let at = 0; at < chunk.length; ) {
        const { end, line } = await cutter.take(chunk, at);
        at = end;
        if (line !== undefined) yield line;
      }
    }
    const last = cutter.end();
    if (last !== undefined) yield last;
  } finally {
    await cutter.close();
  }
}

/** Where the reading of a commit's body is: outside of texts, or inside one that may go to disk. */
class LineCutter {
  readonly mark = `spilled:${randomBytes(12).toString('hex')}:`;
  readonly #newFile: () => string;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #spilled: string[] = [];
  /** the text that is being read, as far as it is held; undefined outside of texts */
  #text: Buffer[] | undefined;
  #textBytes = 0;
  #spill: Spill | undefined;
  #escaped = false;

  constructor(newFile: () => string) {
    this.#newFile = newFile;
  }

  /** Reads from `at` up to the next border between text and what is outside of it; `line` is one that ends there. */
  async take(chunk: Buffer, at: number): Promise<{ readonly end: number; readonly line?: CommitLine }> {
    return this.#text === undefined ? this.#takeOutside(chunk, at) : { end: await this.#takeText(chunk, at) };
  }

  /** Returns the last line, which no line feed ends. */
  end(): CommitLine | undefined {
    if (this.#text !== undefined) throw new HttpError(400, 'The body ends inside a text');
    return this.#lineBytes > 0 ? this.#cut() : undefined;
  }

  async close(): Promise<void> {
    await this.#spill?.close();
  }

  #takeOutside(chunk: Buffer, at: number): { readonly end: number; readonly line?: CommitLine } {
    const quote = chunk.indexOf(QUOTE, at);
    const newline = chunk.indexOf(NEWLINE, at);
    if (newline >= 0 && (quote < 0 || newline < quote)) {
      this.#keep(chunk.subarray(at, newline));
      return { end: newline + 1, line: this.#cut() };
    }
    const end = quote < 0 ? chunk.length : quote + 1;
    this.#keep(chunk.subarray(at, end));
    if (quote >= 0) [this.#text, this.#textBytes] = [[], 0];
    return { end };
  }

  async #takeText(chunk: Buffer, at: number): Promise<number> {
    const { end, closed } = scanText(chunk, at, this.#escaped);
    this.#escaped = end.escaped;
    await this.#hold(chunk.subarray(at, end.at));
    if (!closed) return end.at;
    await this.#spill?.close();
    if (this.#spill !== undefined) this.#keep(Buffer.from(`${this.mark}${this.#spilled.length - 1}`));
    else for (const part of this.#text ?? []) this.#keep(part);
    this.#keep(Buffer.from('"'));
    [this.#text, this.#spill] = [undefined, undefined];
    return end.at + 1;
  }

  /** Writes a text that has grown long to a file, from its first byte on. */
  async #hold(piece: Buffer): Promise<void> {
    if (this.#spill !== undefined) return await this.#spill.write(piece);
    this.#text?.push(piece);
    this.#textBytes += piece.length;
    if (this.#textBytes <= SPILL_BYTES) return;
    const file = this.#newFile();
    this.#spilled.push(file);
    this.#spill = await openSpill(file);
    for (const early of this.#text ?? []) await this.#spill.write(early);
    this.#text = [];
  }

  #keep(piece: Buffer): void {
    this.#lineBytes += piece.length;
    if (this.#lineBytes > MAX_LINE_BYTES)
      throw new HttpError(413, `Expected a line of at most ${MAX_LINE_BYTES} bytes beside its content`);
    this.#line.push(piece);
  }

  #cut(): CommitLine {
    const line = { text: Buffer.concat(this.#line).toString('utf8'), mark: this.mark, spilled: this.#spilled };
    [this.#line, this.#lineBytes, this.#spilled] = [[], 0, []];
    return line;
  }
}

/** The end of a JSON text that began before `at`: its closing quote, or the end of the chunk. */
function scanText(chunk: Buffer, at: number, escaped: boolean): { end: { at: number; escaped: boolean }; closed: boolean } {
  let from = escaped ? at + 1 : at;
  for (;;) {
    const quote = chunk.indexOf(QUOTE, from);
    const limit = quote < 0 ? chunk.length : quote;
    const slash = chunk.subarray(0, limit).indexOf(BACKSLASH, from);
    if (slash < 0) return { end: { at: limit, escaped: false }, closed: quote >= 0 };
    if (slash + 1 >= chunk.length) return { end: { at: chunk.length, escaped: true }, closed: false };
    from = slash + 2;
  }
}

interface Spill {
  write(base64: Buffer): Promise<void>;
  close(): Promise<void>;
}

async function openSpill(path: string): Promise<Spill> {
  const file: FileHandle = await open(path, 'wx');
  let rest = '';
  const put = async (text: string): Promise<void> => {
    const bytes = Buffer.from(text, 'base64');
    if (bytes.length > 0) await file.writeFile(bytes);
  };
  return {
    write: async (base64) => {
      // `\/` is the only escape that base64 can hold
      const text = rest + base64.toString('latin1').replaceAll('\\', '');
      const whole = text.length - (text.length % 4);
      rest = text.slice(whole);
      await put(text.slice(0, whole));
    },
    close: async () => {
      try {
        await put(rest);
      } finally {
        await file.close();
      }
    },
  };
}
