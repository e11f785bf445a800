import type { Json } from '../base/canonical-json.ts';
import type { Line } from '../base/ndjson.ts';
import type { TransferOptions } from '../hub/transfer.ts';
import type { ArtifactRef, RepoId } from '../model/artifact.ts';
import type { Hardware } from '../model/hardware.ts';
import type { CheckpointManifest, JobFile, JobLabels, JobResult } from '../model/job.ts';
import type { Artifact } from '../model/outcome.ts';

/** One attempt of a step: `repo` holds the branch of its run. */
export interface JobName {
  readonly repo: RepoId;
  readonly labels: JobLabels;
}

/** A run of a stage, by its branch. */
export interface RunName {
  readonly repo: RepoId;
  readonly run: string;
}

/** All that a program reads. */
export interface JobOrder extends JobName {
  readonly program: JobFile['program'];
  /** the programs: files, relative to `folder` */
  readonly code: { readonly folder: string; readonly files: readonly string[] };
  readonly config: Json;
  readonly inputs: Readonly<Record<string, Artifact>>;
  readonly hardware: Hardware;
  readonly cadence: JobFile['cadence'];
  readonly checkpoint: RestoredCheckpoint | undefined;
}

/** A verified checkpoint on a Hub, to go on from; `folder` where the workspace has it on this disk. */
export interface RestoredCheckpoint {
  readonly ref: ArtifactRef;
  /** folder in the repo */
  readonly under: string;
  readonly folder?: string;
}

/** A checkpoint that a job has saved: files on this disk, or a folder of a commit. */
export type FetchedCheckpoint = { readonly manifest: CheckpointManifest } & (
  | { readonly on: 'disk'; readonly folder: string }
  | { readonly on: 'hub'; readonly ref: ArtifactRef; readonly under: string }
);

export interface ExitRecord {
  readonly code: number;
  readonly outOfMemory: boolean;
  /** what became of another node, where that ended the job */
  readonly why?: string;
}

/** What a job left where it ran. */
export interface JobEnd {
  /** undefined when it is missing or not what the contract says: then nothing is proved */
  readonly result: JobResult | undefined;
  /** how its last process ended, as its supervisor wrote it */
  readonly exit: ExitRecord | undefined;
  readonly logTail: readonly string[];
}

/**
 * Where jobs read and write. A place is a word of the workspace's own: only the workspace looks into it, and a handle carries
 * it to other machines. Nothing here asks a scheduler.
 */
export interface Workspace {
  readonly kind: 'local' | 'shared-disk' | 'hub';
  /** Milliseconds between two looks at a job's events. */
  readonly pollMs: number;
  /** Where `lay` puts this job. */
  placeOf(job: JobName): string;
  /** Lays a job out afresh: its programs, its inputs with every byte hashed, job.json. Returns its place. */
  lay(order: JobOrder, transfer?: TransferOptions): Promise<string>;
  /** The whole lines of events.jsonl from a byte offset on. */
  events(place: string, offset: number): Promise<readonly Line[]>;
  /** The whole lines of the job's output, both streams, from a byte offset on. */
  log(place: string, offset: number): Promise<readonly Line[]>;
  end(place: string): Promise<JobEnd>;
  /** Names of the checkpoints that a job has left, oldest first: `checkpoint-N`. */
  checkpoints(place: string): Promise<readonly string[]>;
  /**
   * A checkpoint that its trainer may delete at any time, with a hold on it: `into` is a folder that is made for it and that
   * the caller deletes. Undefined when the checkpoint is not whole.
   */
  fetchCheckpoint(place: string, name: string, into: string): Promise<FetchedCheckpoint | undefined>;
  /** A folder on this disk with what the job made, be it `into`; undefined when that is gone. */
  fetchOut(place: string, into: string, transfer?: TransferOptions): Promise<string | undefined>;
  /** Verifies a checkpoint on a Hub, `into` being a folder for what is read; undefined when it is not whole. */
  restore(ref: ArtifactRef, under: string, into: string, transfer?: TransferOptions): Promise<RestoredCheckpoint | undefined>;
  /** The jobs of a run that left something here, the oldest attempt first. */
  jobs(run: RunName): Promise<readonly { readonly name: string; readonly place: string }[]>;
  /** What only a living job needs goes; logs, events and the jobs' own descriptions stay, and so do the places in `spared`. */
  sweep(run: RunName, spared?: ReadonlySet<string>): Promise<void>;
  /** Bytes that a run still takes here; undefined where it takes none. */
  size(run: RunName): Promise<number | undefined>;
  /** Deletes all that is left of a run. */
  remove(run: RunName): Promise<void>;
}
