import { copyFile, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { atomicWrite } from '../base/atomic-write.ts';
import { type Line, readLinesFrom } from '../base/ndjson.ts';
import type { Hub } from '../hub/hub.ts';
import { stageInputs } from '../hub/stage-inputs.ts';
import type { TransferOptions } from '../hub/transfer.ts';
import type { ArtifactRef } from '../model/artifact.ts';
import { hold, isWhole, linkFolder, readManifest, verifies } from './checkpoint-files.ts';
import { jobFile, layFolders, parseResult, readExit, readIfThere, tailOf } from './job-folder.ts';
import type { FetchedCheckpoint, JobEnd, JobName, JobOrder, RestoredCheckpoint, RunName, Workspace } from './workspace.ts';

/** What only a living job needs. */
const LIVING = ['in', 'out', 'checkpoints', 'code', 'home'];
/** The end of a log that is read to say why a job failed, bytes. */
const TAIL_BYTES = 32 * 1024;

/**
 * Job folders `RUN/STEP-eN` below one root. On `local` disks a place is the folder's absolute path, so that it is found from
 * another zephyr home of the machine; on a `shared-disk` it is relative to the root, which each machine may mount elsewhere.
 */
export class FolderWorkspace implements Workspace {
  readonly kind: 'local' | 'shared-disk';
  pollMs: number;
  readonly root: string;
  readonly hub: Hub;

  constructor(kind: 'local' | 'shared-disk', root: string, hub: Hub) {
    this.kind = kind;
    this.pollMs = kind === 'local' ? 200 : 1000;
    this.root = root;
    this.hub = hub;
  }

  /** Absolute path, on this machine, of a place. */
  folder(place: string): string {
    return resolve(this.root, place);
  }

  placeOf({ labels }: Pick<JobName, 'labels'>): string {
    const folder = join(labels.run, `${labels.step}-e${labels.epoch}`);
    return this.kind === 'local' ? join(this.root, folder) : folder.split(sep).join('/');
  }

  async lay(order: JobOrder, transfer: TransferOptions = {}): Promise<string> {
    const place = this.placeOf(order);
    const folder = this.folder(place);
    await rm(folder, { recursive: true, force: true });
    await layFolders(folder);
    for (const file of order.code.files) {
      await mkdir(dirname(join(folder, 'code', file)), { recursive: true });
      await copyFile(join(order.code.folder, file), join(folder, 'code', file));
    }
    const inputs = await stageInputs(this.hub, order.inputs, folder, transfer);
    const { checkpoint } = order;
    const resume = checkpoint === undefined ? null : `in/resume/${basename(checkpoint.under)}`;
    if (checkpoint !== undefined && resume !== null) {
      if (checkpoint.folder === undefined) throw new Error('Cannot go on from a checkpoint that was not brought to this disk');
      await linkFolder(checkpoint.folder, join(folder, resume));
    }
    await atomicWrite(join(folder, 'job.json'), `${JSON.stringify(jobFile(order, inputs, resume), null, 2)}\n`);
    return place;
  }

  events(place: string, offset: number): Promise<Line[]> {
    return readLinesFrom(join(this.folder(place), 'events.jsonl'), offset);
  }

  log(place: string, offset: number): Promise<Line[]> {
    return readLinesFrom(join(this.folder(place), 'log.txt'), offset);
  }

  async end(place: string): Promise<JobEnd> {
    const folder = this.folder(place);
    const [result, exit, log] = await Promise.all([
      readIfThere(join(folder, 'result.json')),
      readExit(folder),
      readEnd(join(folder, 'log.txt')),
    ]);
    return { result: parseResult(result), exit, logTail: tailOf(log) };
  }

  async checkpoints(place: string): Promise<string[]> {
    const names = await readdir(join(this.folder(place), 'checkpoints')).catch(() => []);
    return names.filter((name) => stepOf(name) !== undefined).sort((a, b) => (stepOf(a) ?? 0) - (stepOf(b) ?? 0));
  }

  async fetchCheckpoint(place: string, name: string, into: string): Promise<FetchedCheckpoint | undefined> {
    const folder = join(this.folder(place), 'checkpoints', name);
    const manifest = await readManifest(folder);
    if (manifest === undefined) return undefined;
    const held = await hold(folder, manifest, into);
    return (await isWhole(held, manifest)) ? { on: 'disk', folder: held, manifest } : undefined;
  }

  async fetchOut(place: string): Promise<string | undefined> {
    const folder = join(this.folder(place), 'out');
    return (await stat(folder).catch(() => undefined)) === undefined ? undefined : folder;
  }

  async restore(
    ref: ArtifactRef,
    under: string,
    into: string,
    transfer: TransferOptions = {},
  ): Promise<RestoredCheckpoint | undefined> {
    await mkdir(into, { recursive: true });
    const { folder: snapshot } = await this.hub.materialise(ref, into, { ...transfer, under });
    const folder = join(snapshot, under);
    const manifest = await readManifest(folder);
    return manifest !== undefined && (await verifies(folder, manifest, transfer.signal)) ? { ref, under, folder } : undefined;
  }

  async jobs({ run }: RunName): Promise<{ name: string; place: string }[]> {
    const names = (await readdir(join(this.root, run)).catch(() => [])).filter((name) => epochOf(name) !== undefined);
    const inOrder = names.sort((a, b) => (epochOf(a) ?? 0) - (epochOf(b) ?? 0));
    return inOrder.map((name) => ({ name, place: this.kind === 'local' ? join(this.root, run, name) : `${run}/${name}` }));
  }

  async sweep({ run }: RunName, spared: ReadonlySet<string> = new Set()): Promise<void> {
    const entries = await readdir(join(this.root, run), { withFileTypes: true }).catch(() => []);
    const sparedFolders = new Set([...spared].map((place) => this.folder(place)));
    for (const entry of entries) {
      const folder = join(this.root, run, entry.name);
      if (!entry.isDirectory() || sparedFolders.has(folder)) continue;
      for (const name of LIVING) await rm(join(folder, name), { recursive: true, force: true });
    }
  }

  async size({ run }: RunName): Promise<number | undefined> {
    return await sizeOf(join(this.root, run));
  }

  async remove({ run }: RunName): Promise<void> {
    await rm(join(this.root, run), { recursive: true, force: true });
  }
}

/** Optimizer step of a checkpoint, by its folder's name; undefined for another folder. */
function stepOf(name: string): number | undefined {
  const digits = /^checkpoint-(\d+)$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Epoch of a job, by its folder's name; undefined for another folder. */
function epochOf(name: string): number | undefined {
  const digits = /-e(\d+)$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The last `TAIL_BYTES` of a file as text, from the first whole line on. */
async function readEnd(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, size - bytes.length);
    const text = bytes.toString('utf8', 0, bytesRead);
    return size > bytes.length ? text.slice(text.indexOf('\n') + 1) : text;
  } finally {
    await file.close();
  }
}

/** Bytes below a folder; `undefined` when there is none. */
async function sizeOf(folder: string): Promise<number | undefined> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return undefined;
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const sizes = await Promise.all(files.map(async (file) => (await stat(file).catch(() => undefined))?.size ?? 0));
  return sizes.reduce((sum, size) => sum + size, 0);
}
