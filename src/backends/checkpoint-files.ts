import { copyFile, link, mkdir, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sha256File } from '../base/sha256.ts';
import { type CheckpointManifest, checkpointManifest } from '../model/job.ts';
import { isNoLink } from '../store/large-files.ts';

export const CHECKPOINT_MANIFEST = 'manifest.json';

/** The manifest in these bytes; undefined when there is none, or it is not what the contract says. */
export function parseManifest(bytes: Uint8Array | undefined): CheckpointManifest | undefined {
  if (bytes === undefined) return undefined;
  try {
    return checkpointManifest.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch {
    return undefined;
  }
}

export async function readManifest(folder: string): Promise<CheckpointManifest | undefined> {
  return parseManifest(await readFile(join(folder, CHECKPOINT_MANIFEST)).catch(() => undefined));
}

/** Sizes only: the hashes were taken by the job a moment ago and are checked when the checkpoint is used. */
export async function isWhole(folder: string, manifest: CheckpointManifest): Promise<boolean> {
  const sizes = await Promise.all(manifest.files.map(({ path }) => stat(join(folder, path)).catch(() => undefined)));
  return manifest.files.every(({ size }, i) => sizes[i]?.size === size);
}

export async function verifies(folder: string, manifest: CheckpointManifest, signal?: AbortSignal): Promise<boolean> {
  for (const { path, sha256 } of manifest.files) {
    const actual = await sha256File(join(folder, path), signal).catch(() => undefined);
    signal?.throwIfAborted();
    if (actual !== sha256) return false;
  }
  return true;
}

/**
 * The trainer deletes old checkpoints in its own time, and an upload may take longer than it waits: so the files get a
 * second name, in `held`, which is returned. Where no second name can be given, they are used where they are.
 */
export async function hold(folder: string, manifest: CheckpointManifest, held: string): Promise<string> {
  await rm(held, { recursive: true, force: true });
  try {
    for (const { path } of manifest.files) {
      await mkdir(dirname(join(held, path)), { recursive: true });
      await link(join(folder, path), join(held, path));
    }
    return held;
  } catch (error) {
    await rm(held, { recursive: true, force: true });
    if (!isNoLink(error) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return folder;
  }
}

/** The files behind a snapshot's links, as files of their own, folders included. */
export async function linkFolder(source: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const name of await readdir(source)) {
    const file = await realpath(join(source, name));
    if ((await stat(file)).isDirectory()) await linkFolder(file, join(target, name));
    else await link(file, join(target, name)).catch(() => copyFile(file, join(target, name)));
  }
}
