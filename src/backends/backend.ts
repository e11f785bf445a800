import type { Hardware, JobHandle, JobLabels, JobState } from '../model/job.ts';

export interface SubmitRequest {
  /** Absolute path of a laid-out job folder: job.json, code/, in/, out/, checkpoints/. */
  readonly folder: string;
  readonly program: string;
  /** name of the Python environment that the program runs in */
  readonly environment: string;
  readonly labels: JobLabels;
  readonly hardware: Hardware;
}

/**
 * Where jobs run. Every method may be called again after a crash of the caller, with nothing but a `JobHandle` from
 * disk. Both output streams of the job go to `log.txt` in its folder.
 */
export interface Backend {
  readonly name: string;
  /** Throws a `ZephyrError` (exit `preflight`) that says what jobs of these Python environments would miss; changes nothing. */
  check(environments: readonly string[]): Promise<void>;
  /** Digest of what this Python environment holds: see `Ingredients.environment`. */
  environment(name: string): Promise<string>;
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
