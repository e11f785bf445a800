import * as z from 'zod';
import type { Json } from '../base/canonical-json.ts';
import { type Hardware, SHARDINGS } from './hardware.ts';

/** Names one attempt of one step; a backend finds a job again by these. */
const jobLabels = z.object({ run: z.string(), stage: z.string(), step: z.string(), epoch: z.int().positive() });
export type JobLabels = z.infer<typeof jobLabels>;

/** What the labels of a job have for a step that runs zephyr itself, as its own driver. */
export const DRIVER_STEP = 'zephyr';

/** What the variable ZEPHYR_DRIVER says to the zephyr that a driver runs: which job of which run it is. */
export const driverMark = ({ run, epoch }: JobLabels): string => `${run}/${epoch}`;

/** `/job/job.json`. Paths are relative to the folder of job.json. */
export interface JobFile {
  readonly version: 1;
  /** a file of scripts/train, without `.py` */
  readonly program: string;
  readonly labels: JobLabels;
  /** What changes the result; part of the fingerprint. */
  readonly config: Json;
  /** Folders that the program reads, by the name under which it knows them. */
  readonly inputs: { readonly [name: string]: string };
  /** `Hardware` as far as the program needs it; `processes` counts the ranks of all nodes */
  readonly hardware: {
    readonly device: Hardware['device'];
    readonly processes: number;
    readonly micro_batch: number;
    readonly accumulation: number;
    readonly threads: number;
    /** left out in job files of earlier versions: none, false */
    readonly sharding: Hardware['sharding'];
    readonly offload: boolean;
  };
  readonly cadence: { readonly save_steps: number; readonly log_steps: number; readonly heartbeat_s: number };
  /** Folder of a verified checkpoint to go on from. */
  readonly resume: string | null;
}

/**
 * A line of `/job/events.jsonl`. `seq` counts from 0 within one attempt, `t` is seconds since 1970. Unknown members are
 * kept: a newer program may say more.
 */
export const jobEvent = z.discriminatedUnion('type', [
  z.looseObject({
    seq: z.int(),
    t: z.number(),
    type: z.literal('boot'),
    program: z.string(),
    versions: z.record(z.string(), z.string()),
  }),
  z.looseObject({ seq: z.int(), t: z.number(), type: z.literal('data'), rows: z.int() }),
  z.looseObject({
    seq: z.int(),
    t: z.number(),
    type: z.literal('progress'),
    step: z.int(),
    max_steps: z.int(),
    metrics: z.record(z.string(), z.number()).optional(),
  }),
  z.looseObject({ seq: z.int(), t: z.number(), type: z.literal('save'), step: z.int(), path: z.string() }),
  z.looseObject({ seq: z.int(), t: z.number(), type: z.literal('heartbeat') }),
  z.looseObject({ seq: z.int(), t: z.number(), type: z.literal('note'), message: z.string() }),
  /** rows of a split of an input that are left out, counted by reason */
  z.looseObject({
    seq: z.int(),
    t: z.number(),
    type: z.literal('dropped'),
    input: z.string(),
    split: z.string(),
    read: z.int(),
    reasons: z.record(z.string(), z.int()),
  }),
  z.looseObject({ seq: z.int(), t: z.number(), type: z.literal('final'), step: z.int(), max_steps: z.int() }),
  z.looseObject({ seq: z.int(), t: z.number(), type: z.literal('error'), message: z.string(), code: z.int() }),
]);
export type JobEvent = z.infer<typeof jobEvent>;

/** `/job/result.json`, written last: the only proof of success. */
export const jobResult = z.object({
  version: z.literal(1),
  global_step: z.int().nonnegative(),
  max_steps: z.int().nonnegative(),
  metrics: z.record(z.string(), z.unknown()),
  versions: z.record(z.string(), z.string()),
});
export type JobResult = z.infer<typeof jobResult>;

/** `checkpoint-N/manifest.json`, written after the checkpoint itself: only a folder that matches it is resumed from. */
export const checkpointManifest = z.object({
  version: z.literal(1),
  step: z.int().positive(),
  /** ranks that wrote it; any other number can go on from it, not to the last bit */
  world_size: z.int().positive(),
  /** how weights and moments lay on those ranks; earlier manifests mean none */
  sharding: z.enum(SHARDINGS).default('none'),
  /** sha256 of the canonical JSON of the `config` that made it */
  config_sha256: z.string(),
  files: z.array(z.object({ path: z.string(), size: z.int().nonnegative(), sha256: z.string() })),
});
export type CheckpointManifest = z.infer<typeof checkpointManifest>;

const handleMembers = z.object({
  backend: z.string(),
  /** where the job can be seen from, in its scheduler's own words: a machine and its boot, the name of a cluster */
  host: z.string(),
  /** the job's name there; process: "pid:start time", docker: container id */
  id: z.string(),
  /** where the job reads and writes; its workspace alone knows what it means */
  place: z.string(),
  labels: jobLabels,
  startedAt: z.iso.datetime(),
});

/**
 * Serialisable: another process can follow, cancel and collect the job with it. Handles of earlier versions named the place
 * `folder`.
 */
export const jobHandle = z.preprocess((value) => {
  if (typeof value !== 'object' || value === null || !('folder' in value)) return value;
  const { folder, ...others } = value;
  return { place: folder, ...others };
}, handleMembers);
export type JobHandle = z.infer<typeof handleMembers>;

/** Where a job can be seen from. */
export type JobSite = Pick<JobHandle, 'backend' | 'host'>;

interface ExitedState {
  readonly state: 'exited';
  readonly code: number;
  readonly outOfMemory: boolean;
  /** the scheduler took its place away, which says nothing against the job */
  readonly preempted?: true;
  /** its time limit was over; somebody took it back who is not zephyr */
  readonly cut?: 'time-limit' | 'cancelled';
  /** what the scheduler, or the node that was left, says of its end, in words */
  readonly why?: string;
}

/** `unknown` is never read as dead: it means that the scheduler did not answer. */
export type JobState =
  /** `canStart`: whether the job can ever get what it asks for, as far as the scheduler says */
  | { readonly state: 'queued'; readonly why: string; readonly canStart: boolean | 'unknown' }
  /** it has its place and is being prepared: an image is loaded, a node boots */
  | { readonly state: 'starting'; readonly why?: string }
  | { readonly state: 'running' }
  | ExitedState
  | { readonly state: 'absent' }
  | { readonly state: 'unknown'; readonly why: string };

/** Whether a job waits or works: it can end yet. */
export function isAlive({ state }: JobState): boolean {
  return state === 'queued' || state === 'starting' || state === 'running';
}

/** Exit codes of our programs, beyond 0. 75 lies within the other range and is none of it. */
export const JOB_EXIT = { interrupted: 75, noDisk: 74, configOrData: { from: 64, to: 78 } } as const;

/** Whether a program ended with a code by which it says why: then nothing killed it, whatever became of a child. */
export function isOwnExit(code: number): boolean {
  return code === 0 || (code >= JOB_EXIT.configOrData.from && code <= JOB_EXIT.configOrData.to);
}
