import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Where a text lies. */
export interface Place {
  readonly box: number;
  /** bytes */
  readonly offset: number;
  readonly length: number;
}

/** Texts that are too many for the memory, on disk for as long as this process lives. */
export interface Shelf {
  put(text: string): Promise<Place>;
  read(place: Place): Promise<string>;
  /** The text is not needed any more; its space comes back when its whole box is empty. */
  drop(place: Place): void;
  close(): Promise<void>;
}

interface Box {
  readonly file: Promise<FileHandle>;
  size: number;
  texts: number;
}

/** Bytes after which the next box is begun. */
const BOX_BYTES = 64 << 20;

/** The files in `folder` have no name: their space comes back by whatever end the process has. */
export function openShelf(folder: string, boxBytes = BOX_BYTES): Shelf {
  const boxes = new Map<number, Box>();
  let newest = 0;

  async function make(): Promise<FileHandle> {
    await mkdir(folder, { recursive: true });
    const path = join(folder, `bodies-${randomBytes(6).toString('hex')}.tmp`);
    const file = await open(path, 'wx+');
    await rm(path);
    return file;
  }

  function boxFor(bytes: number): Box {
    const last = boxes.get(newest);
    if (last !== undefined && last.size + bytes <= boxBytes) return last;
    newest += 1;
    if (last !== undefined) throwOut(newest - 1, last);
    const box = { file: make(), size: 0, texts: 0 };
    // Whoever writes to it hears of it.
    box.file.catch(() => undefined);
    boxes.set(newest, box);
    return box;
  }

  function throwOut(number: number, box: Box): void {
    if (box.texts > 0 || number === newest) return;
    boxes.delete(number);
    void box.file.then((file) => file.close()).catch(() => undefined);
  }

  return {
    async put(text) {
      const bytes = Buffer.from(text);
      const box = boxFor(bytes.length);
      const place = { box: newest, offset: box.size, length: bytes.length };
      box.size += bytes.length;
      box.texts += 1;
      const file = await box.file;
      for (let done = 0; done < bytes.length; )
        done += (await file.write(bytes, done, bytes.length - done, place.offset + done)).bytesWritten;
      return place;
    },
    async read({ box, offset, length }) {
      const file = await boxes.get(box)?.file;
      if (file === undefined) throw new Error('Cannot read a text that was dropped');
      const bytes = Buffer.alloc(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0) throw new Error('Cannot read a text that was not written');
        done += bytesRead;
      }
      return bytes.toString('utf8');
    },
    drop({ box: number }) {
      const box = boxes.get(number);
      if (box === undefined) return;
      box.texts -= 1;
      throwOut(number, box);
    },
    async close() {
      const all = [...boxes.values()];
      boxes.clear();
      await Promise.all(all.map(({ file }) => file.then((opened) => opened.close()).catch(() => undefined)));
    },
  };
}
