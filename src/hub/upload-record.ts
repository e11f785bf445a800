import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { atomicWrite } from '../base/atomic-write.ts';
import { sha256 } from '../base/sha256.ts';

/** Where the parts of one large file go, and which of them are there. */
const uploadRecord = z.object({
  oid: z.string(),
  size: z.int(),
  /** bytes of a part */
  chunk: z.int().positive(),
  /** the address that makes the parts one file */
  href: z.string(),
  /** addresses by the parts' numbers, from 1 */
  parts: z.record(z.string(), z.string()),
  /** what the Hub answered to parts that are there: their ETags */
  done: z.record(z.string(), z.string()),
});
export type UploadRecord = z.infer<typeof uploadRecord>;

/** Milliseconds after which a record is of no use: every Hub lets signed addresses expire within a day. */
const KEPT_MS = 24 * 3600 * 1000;

/**
 * Keeps the record of one upload in a folder, readable by its owner only: the addresses in it are permissions. Each call of
 * the Hub's LFS route begins an upload of its own, so what is there of an earlier one is of use through its own addresses.
 */
export class UploadRecords {
  readonly #path: string | undefined;
  /** The last write of the record, which the next one waits for, so that an older state never replaces a newer one. */
  #writing: Promise<void> = Promise.resolve();

  constructor(folder: string | undefined, hub: string, repo: string, oid: string) {
    this.#path = folder === undefined ? undefined : join(folder, `${sha256([hub, repo, oid].join('\n'))}.json`);
  }

  async read(): Promise<UploadRecord | undefined> {
    if (this.#path === undefined) return undefined;
    await sweepFolder(dirname(this.#path), KEPT_MS);
    const text = await readFile(this.#path, 'utf8').catch(() => '{}');
    try {
      return uploadRecord.safeParse(JSON.parse(text)).data;
    } catch {
      return undefined;
    }
  }

  async write(record: UploadRecord): Promise<void> {
    const path = this.#path;
    if (path === undefined) return;
    this.#writing = this.#writing.then(async () => {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await atomicWrite(path, JSON.stringify(record), 0o600);
    });
    await this.#writing;
  }

  async forget(): Promise<void> {
    await this.#writing.catch(() => undefined);
    if (this.#path !== undefined) await rm(this.#path, { force: true });
  }
}

/** Deletes the files of a folder that were last written longer ago than this, milliseconds. */
export async function sweepFolder(folder: string, keptMs: number): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const info = await stat(join(folder, name)).catch(() => undefined);
    if (info !== undefined && Date.now() - info.mtimeMs > keptMs) await rm(join(folder, name), { force: true });
  }
}
