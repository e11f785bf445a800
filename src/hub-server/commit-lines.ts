import { randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { HttpError } from './exchange.ts';

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** A text longer than this goes to disk while it comes in; it can only be a file's base64. */
const SPILL_BYTES = 256 << 10;
/** A line without its file contents, bytes. */
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
  const mark = `spilled:${randomBytes(12).toString('hex')}:`;
  let line: Buffer[] = [];
  let lineBytes = 0;
  let text: Buffer[] | undefined;
  let textBytes = 0;
  let spill: Spill | undefined;
  let spilled: string[] = [];
  let escaped = false;

  const keep = (piece: Buffer): void => {
    lineBytes += piece.length;
    if (lineBytes > MAX_LINE_BYTES)
      throw new HttpError(413, `Expected a line of at most ${MAX_LINE_BYTES} bytes beside its content`);
    line.push(piece);
  };

  try {
    for await (const chunk of body) {
      let at = 0;
      while (at < chunk.length) {
        if (text === undefined && spill === undefined) {
          const quote = chunk.indexOf(QUOTE, at);
          const newline = chunk.indexOf(NEWLINE, at);
          if (newline >= 0 && (quote < 0 || newline < quote)) {
            keep(chunk.subarray(at, newline));
            yield { text: Buffer.concat(line).toString('utf8'), mark, spilled };
            [line, lineBytes, spilled] = [[], 0, []];
            at = newline + 1;
          } else {
            const end = quote < 0 ? chunk.length : quote + 1;
            keep(chunk.subarray(at, end));
            if (quote >= 0) [text, textBytes] = [[], 0];
            at = end;
          }
          continue;
        }
        const { end, closed } = scanText(chunk, at, escaped);
        escaped = end.escaped;
        const piece = chunk.subarray(at, end.at);
        at = end.at + (closed ? 1 : 0);
        if (spill !== undefined) await spill.write(piece);
        else {
          text?.push(piece);
          textBytes += piece.length;
          if (textBytes > SPILL_BYTES) {
            const file = newFile();
            spilled.push(file);
            spill = await openSpill(file);
            for (const early of text ?? []) await spill.write(early);
            text = undefined;
          }
        }
        if (!closed) continue;
        if (spill !== undefined) {
          await spill.close();
          keep(Buffer.from(`${mark}${spilled.length - 1}`));
        } else for (const part of text ?? []) keep(part);
        keep(Buffer.from('"'));
        [text, spill] = [undefined, undefined];
      }
    }
    if (text !== undefined || spill !== undefined) throw new HttpError(400, 'The body ends inside a text');
  } finally {
    await spill?.close();
  }
  if (lineBytes > 0) yield { text: Buffer.concat(line).toString('utf8'), mark, spilled };
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
