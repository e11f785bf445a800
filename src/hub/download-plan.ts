import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Remote } from './hub-request.ts';
import { type FileRange, rangesOf, unfinishedIn } from './part-file.ts';

/** A file as the Hub's own listing records it. */
export interface RemoteEntry {
  readonly path: string;
  readonly size: number;
  /** git id of a small file, of a large one that of its pointer */
  readonly oid: string;
  readonly sha256: string | undefined;
}

/** The name that huggingface_hub gives to the bytes of a file. */
export function etagOf({ sha256, oid }: RemoteEntry): string {
  return sha256 ?? oid;
}

/** One file that a snapshot needs and how it comes there. */
export interface PlannedFile {
  readonly entry: RemoteEntry;
  /** A copy of the right length, on this disk; its hash is still to be compared. */
  readonly copy: string | undefined;
  /** An unfinished file to go on with. */
  readonly begun: string | undefined;
  readonly ranges: readonly FileRange[];
}

/** What a download has to move, computed from the listing and from what lies on the disk alone. */
export interface DownloadPlan {
  /** the folder of the files, each under its etag */
  readonly blobs: string;
  /** each file once, whatever the number of its paths */
  readonly files: readonly PlannedFile[];
  /** bytes of all files */
  readonly total: number;
  /** bytes of them that are to be fetched */
  readonly missing: number;
}

/** Plans how the files come into `blobs`; moves and changes nothing. */
export async function planDownload(
  { downloads, rangeBytes }: Pick<Remote, 'downloads' | 'rangeBytes'>,
  entries: readonly RemoteEntry[],
  blobs: string,
): Promise<DownloadPlan> {
  const staging = downloads ?? blobs;
  const unfinished = await unfinishedIn(staging);
  const unique = [...new Map(entries.map((entry) => [etagOf(entry), entry])).values()];
  const files: PlannedFile[] = [];
  for (const entry of unique) {
    const copy = await firstOfSize([join(blobs, etagOf(entry)), join(staging, etagOf(entry))], entry.size);
    const begun = copy === undefined ? unfinished.get(etagOf(entry)) : undefined;
    files.push({ entry, copy, begun, ranges: await rangesOf(entry.size, rangeBytes, begun) });
  }
  const missing = files.reduce((sum, file) => sum + missingOf(file), 0);
  return { blobs, files, total: unique.reduce((sum, { size }) => sum + size, 0), missing };
}

function missingOf({ copy, ranges }: PlannedFile): number {
  return copy !== undefined ? 0 : ranges.reduce((sum, { start, end, done }) => sum + end - start - done, 0);
}

async function firstOfSize(paths: readonly string[], size: number): Promise<string | undefined> {
  for (const path of paths) if ((await stat(path).catch(() => undefined))?.size === size) return path;
  return undefined;
}
