import type { Hardware, JobHandle, JobLabels, JobState } from '../model/job.ts';

export interface SubmitRequest {
  /** Absolute path of a laid-out job folder: job.json, code/, in/, out/, checkpoints/. */
  readonly folder: string;
  readonly program: string;
  readonly labels: JobLabels;
  readonly hardware: Hardware;
}

/**
 * Where jobs run. Every method may be called again after a crash of the caller, with nothing but a `JobHandle` from
 * disk. Both output streams of the job go to `log.txt` in its folder.
 */
export interface Backend {
  readonly name: string;
  /** Throws a `ZephyrError` (exit `preflight`) that says what is missing; changes nothing. */
  check(): Promise<void>;
  /** Digest of what the job's Python holds: see `Ingredients.environment`. */
  environment(): Promise<string>;
  /** Starts the job detached and returns at once. The same labels twice: the second call returns the first job's handle. */
  submit(request: SubmitRequest): Promise<JobHandle>;
  /** The job with these labels, running or ended, if the backend knows one. */
  find(labels: JobLabels): Promise<JobHandle | undefined>;
  state(handle: JobHandle): Promise<JobState>;
  /** SIGTERM to every rank, after `graceSeconds` SIGKILL to whatever is left; returns when nothing is. */
  cancel(handle: JobHandle, graceSeconds: number): Promise<JobState>;
  /** Forgets an ended job (removes the container); the folder stays. */
  forget(handle: JobHandle): Promise<void>;
}
