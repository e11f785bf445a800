import { chmod, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import { differs, isBroken } from './damage.ts';
import { fetchRange } from './download.ts';
import { type DownloadPlan, etagOf, type PlannedFile, type RemoteEntry } from './download-plan.ts';
import { type Hashes, hashFile } from './hashes.ts';
import { explain, type Remote } from './hub-request.ts';
import { type FileRange, PartFile } from './part-file.ts';
import { addressOf, isNoEntry } from './remote-file.ts';
import { safetensorsFault } from './safetensors.ts';
import { linkOrCopy, replaceFile } from './snapshot.ts';
import { Meter, runBounded, type TransferOptions } from './transfer.ts';
import { sweepFolder } from './upload-record.ts';

/** Milliseconds for which the files of an unfinished snapshot are kept: a week. */
const KEPT_MS = 7 * 24 * 3600 * 1000;

/**
 * Does what the plan says, several files and ranges at once, and compares every file with the listing. Returns the sha256 of
 * each by its etag. What has come is kept when this ends early.
 */
export async function downloadFiles(
  remote: Remote,
  ref: ArtifactRef,
  plan: DownloadPlan,
  { signal, progress }: TransferOptions,
): Promise<ReadonlyMap<string, string>> {
  if (remote.downloads !== undefined) await sweepFolder(remote.downloads, KEPT_MS);
  const meter = new Meter(plan.total, plan.total - plan.missing, progress);
  const files = plan.files.map((file) => new FileDownload(remote, ref, { ...file, blobs: plan.blobs }, meter));
  try {
    await runBounded(
      files.flatMap((file) => file.jobs()),
      signal,
    );
  } finally {
    for (const file of files) await file.close();
  }
  // the snapshot is whole, so the files kept for an unfinished one are of no use
  if (remote.downloads !== undefined) {
    for (const { entry } of plan.files) await rm(join(remote.downloads, etagOf(entry)), { force: true });
  }
  return new Map(files.map(({ planned, sha256 }) => [etagOf(planned.entry), sha256]));
}

/** One file on its way from a remote Hub to its place among the blobs of a snapshot. */
class FileDownload {
  readonly planned: PlannedFile & { readonly blobs: string };
  sha256 = '';
  readonly #remote: Remote;
  readonly #ref: ArtifactRef;
  readonly #meter: Meter;
  #part: Promise<PartFile> | undefined;
  #open: number;

  constructor(remote: Remote, ref: ArtifactRef, planned: PlannedFile & { readonly blobs: string }, meter: Meter) {
    [this.#remote, this.#ref, this.planned, this.#meter] = [remote, ref, planned, meter];
    this.#open = planned.ranges.length;
  }

  /** The jobs that bring the file, in the order that they need. */
  jobs(): ((signal: AbortSignal) => Promise<void>)[] {
    const { copy, ranges } = this.planned;
    if (copy !== undefined) return [(signal) => this.#take(copy, signal)];
    return ranges.map((_, i) => async (signal) => {
      const part = await this.#opened();
      const range = part.ranges[i];
      if (range !== undefined && part.isSplittable) await this.#fetch(part, range, signal, false);
      this.#open -= 1;
      if (this.#open === 0) await this.#finish(part, signal);
    });
  }

  async close(): Promise<void> {
    const part = await this.#part;
    this.#part = undefined;
    await part?.close();
  }

  get #blob(): string {
    return join(this.planned.blobs, etagOf(this.planned.entry));
  }

  /** Takes the copy on this disk, and fetches the file after all if the hash of the copy is wrong. */
  async #take(copy: string, signal: AbortSignal): Promise<void> {
    const { entry } = this.planned;
    const known = await hashFile(copy, entry.size, signal);
    if (mismatch(entry, known) === undefined) {
      await this.#checkHeader(copy);
      if (copy !== this.#blob) await replaceFile(this.#blob, (draft) => linkOrCopy(copy, draft));
      this.sha256 = known.sha256;
      return;
    }
    this.#meter.moved(entry.path, -entry.size);
    await rm(copy, { force: true });
    const part = await this.#opened();
    await part.restartWhole();
    for (const range of part.ranges) await this.#fetch(part, range, signal, false);
    await this.#finish(part, signal);
  }

  #opened(): Promise<PartFile> {
    const { entry, begun, ranges, blobs } = this.planned;
    this.#part ??= PartFile.open(this.#remote.downloads ?? blobs, etagOf(entry), begun, ranges);
    return this.#part;
  }

  async #fetch(part: PartFile, range: FileRange, signal: AbortSignal, isFresh: boolean): Promise<void> {
    const { path, size } = this.planned.entry;
    const action = `read "${path}" of "${formatRef(this.#ref)}"`;
    const moved = (bytes: number): void => this.#meter.moved(path, bytes);
    const what = { address: addressOf(this.#remote, this.#ref, path), action, part, isFresh, isNoEntry, moved };
    const isThere = await fetchRange(this.#remote, what, range, signal).catch((error: unknown) => {
      throw explain(this.#remote, action, error);
    });
    if (!isThere) throw differs(this.#ref, path, `${size} bytes`, 'no bytes on the Hub');
  }

  /** Fetches a file with a wrong hash once more, whole, before it calls the Hub's copy damaged. */
  async #finish(part: PartFile, signal: AbortSignal): Promise<void> {
    const { entry } = this.planned;
    // the server does not answer ranges, so some of them are missing
    if (part.ranges.length > 1 && !part.isWhole) await this.#again(part, signal, false);
    let got = await this.#hash(part, signal);
    if (mismatch(entry, got) !== undefined) {
      await this.#again(part, signal, true);
      got = await this.#hash(part, signal);
    }
    const wrong = mismatch(entry, got);
    if (wrong !== undefined) {
      await rm(part.path, { force: true });
      throw differs(this.#ref, entry.path, wrong.expected, wrong.actual);
    }
    await this.#checkHeader(part.path);
    await chmod(part.path, 0o444);
    if (this.#remote.downloads === undefined) await rename(part.path, this.#blob);
    else {
      await replaceFile(this.#blob, (draft) => linkOrCopy(part.path, draft));
      // for the next process, until the snapshot is whole
      await rename(part.path, join(this.#remote.downloads, etagOf(entry)));
    }
    this.sha256 = got.sha256;
    await this.close();
  }

  async #again(part: PartFile, signal: AbortSignal, isFresh: boolean): Promise<void> {
    this.#meter.moved(this.planned.entry.path, -(await part.restartWhole()));
    for (const range of part.ranges) await this.#fetch(part, range, signal, isFresh);
  }

  async #hash(part: PartFile, signal: AbortSignal): Promise<Hashes> {
    await part.finish();
    return await hashFile(part.path, this.planned.entry.size, signal);
  }

  async #checkHeader(file: string): Promise<void> {
    const { path } = this.planned.entry;
    const fault = path.endsWith('.safetensors') ? await safetensorsFault(file) : undefined;
    if (fault === undefined) return;
    await rm(file, { force: true });
    throw isBroken(this.#ref, path, fault);
  }
}

function mismatch(entry: RemoteEntry, got: Hashes): { expected: string; actual: string } | undefined {
  if (got.size !== entry.size) return { expected: `${entry.size} bytes`, actual: `${got.size} bytes` };
  if (entry.sha256 !== undefined) {
    return got.sha256 === entry.sha256 ? undefined : { expected: `sha256 ${entry.sha256}`, actual: `sha256 ${got.sha256}` };
  }
  return got.git === entry.oid ? undefined : { expected: `git id ${entry.oid}`, actual: `git id ${got.git}` };
}
