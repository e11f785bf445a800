import * as z from 'zod';
import type { Json } from '../base/canonical-json.ts';

/** The Python environment of a program that names no other: that of training, torch and TRL. */
export const TRAIN = 'train';

/** Names one attempt of one step; a backend finds a job again by these. */
export const jobLabels = z.object({ run: z.string(), stage: z.string(), step: z.string(), epoch: z.int().positive() });
export type JobLabels = z.infer<typeof jobLabels>;

/** Where a job runs, as the program needs to know it. Nothing here changes the maths beyond rounding. */
export interface Hardware {
  readonly device: 'cpu' | 'cuda';
  /** ranks: one process a GPU, or CPU processes for a test */
  readonly processes: number;
  /** rows a rank takes at once */
  readonly micro_batch: number;
  /** micro batches a rank sums up before a step: global batch = processes x micro_batch x accumulation */
  readonly accumulation: number;
  /** CPU threads of one rank */
  readonly threads: number;
}

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
  readonly hardware: Hardware;
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
  /** ranks that wrote it; a resume needs as many */
  world_size: z.int().positive(),
  /** sha256 of the canonical JSON of the `config` that made it */
  config_sha256: z.string(),
  files: z.array(z.object({ path: z.string(), size: z.int().nonnegative(), sha256: z.string() })),
});
export type CheckpointManifest = z.infer<typeof checkpointManifest>;

/** Serialisable: another process can follow, cancel and collect the job with it. */
export const jobHandle = z.object({
  backend: z.string(),
  /** where the backend's job can be seen from */
  host: z.string(),
  /** process: "pid:start time"; docker: container id */
  id: z.string(),
  /** absolute path of the job folder on `host` */
  folder: z.string(),
  labels: jobLabels,
  startedAt: z.iso.datetime(),
});
export type JobHandle = z.infer<typeof jobHandle>;

/** `unknown` is never read as dead: it means that the backend did not answer. */
export type JobState =
  | { readonly state: 'running' }
  | { readonly state: 'exited'; readonly code: number; readonly outOfMemory: boolean }
  | { readonly state: 'absent' }
  | { readonly state: 'unknown'; readonly why: string };

/** Exit codes of our programs, beyond 0. 75 lies within the other range and is none of it. */
export const JOB_EXIT = { interrupted: 75, configOrData: { from: 64, to: 78 } } as const;

/** Whether a program ended with a code by which it says why: then nothing killed it, whatever became of a child. */
export function isOwnExit(code: number): boolean {
  return code === 0 || (code >= JOB_EXIT.configOrData.from && code <= JOB_EXIT.configOrData.to);
}
