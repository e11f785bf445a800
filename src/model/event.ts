import type { ArtifactRef } from './artifact.ts';
import type { JobEvent, JobHandle } from './job.ts';
import type { Failure } from './outcome.ts';

/** How hard a teacher is used. Rates are those of the last minute. */
export interface TeacherProgress {
  readonly id: string;
  readonly inFlight: number;
  /** calls in flight at most, as of now: less than the recipe's while the server says that it is busy */
  readonly ceiling: number;
  readonly requestsPerMinute: number;
  readonly requestLimit: number | null;
  readonly tokensPerMinute: number;
  readonly tokenLimit: number | null;
  /** part of the requests that were answered 429 */
  readonly busy: number;
  /** batches that the server works on */
  readonly batches: number;
  /** a server that calls wait for, why it does not take them, and for how many seconds it has been so, or, where it is busy, will be */
  readonly waitsFor?: { readonly server: string; readonly why: string; readonly seconds: number };
}

/** How far a step's teacher calls are. */
export interface CallsProgress {
  readonly done: number;
  readonly total: number;
  readonly failed: number;
  /** answered from the log, without a call */
  readonly replayed: number;
  /** calls for a later step, made in advance */
  readonly ahead: number;
  /** dollars of the calls of this step, those that an earlier run paid included */
  readonly costUsd: number;
  /** dollars that this run of the stage has spent, of at most `capUsd` */
  readonly spentUsd: number;
  readonly capUsd: number | null;
  readonly etaSeconds: number | null;
  readonly teachers: readonly TeacherProgress[];
}

/** How far files are on their way to or from a Hub. */
export interface TransferProgress {
  /** path in the repo of the file that moved last */
  readonly file: string;
  /** bytes that are where they shall be, those that were there before included */
  readonly done: number;
  /** bytes of all files */
  readonly total: number;
}

/** Everything of note that happens in a run; the run log, the terminal and `--json` are three readers of it. */
export type RunEvent =
  /** Only in the run log: says which process did what follows, and why it stopped before the stage was over. */
  | {
      readonly type: 'session-started';
      readonly run: string;
      readonly host: string;
      readonly pid: number;
      readonly zephyr: string;
    }
  | { readonly type: 'session-ended'; readonly exit: string; readonly message: string }
  | { readonly type: 'stage-started'; readonly stage: string; readonly run: string; readonly resumed: boolean }
  | { readonly type: 'step-started'; readonly stage: string; readonly step: string; readonly fingerprint: string }
  | {
      readonly type: 'step-reused';
      readonly stage: string;
      readonly step: string;
      readonly artifact: ArtifactRef;
      readonly fingerprint: string;
    }
  | {
      readonly type: 'job-submitted';
      readonly stage: string;
      readonly step: string;
      readonly handle: JobHandle;
      readonly resumedFromStep: number | undefined;
    }
  | { readonly type: 'job-adopted'; readonly stage: string; readonly step: string; readonly handle: JobHandle }
  /** what a job waits for, each time that it is another thing, and then that it runs */
  | {
      readonly type: 'job-state';
      readonly stage: string;
      readonly step: string;
      readonly state: 'queued' | 'starting' | 'running';
      readonly why: string | null;
    }
  | { readonly type: 'job'; readonly stage: string; readonly step: string; readonly event: JobEvent }
  | { readonly type: 'checkpoint'; readonly stage: string; readonly step: string; readonly at: number }
  | { readonly type: 'calls'; readonly stage: string; readonly step: string; readonly progress: CallsProgress }
  /** `what` goes to the Hub, or comes from it; at most one a second, and none of what takes less */
  | {
      readonly type: 'transfer';
      readonly stage: string;
      readonly step: string;
      readonly direction: 'upload' | 'download';
      readonly what: 'inputs' | 'checkpoint' | 'result';
      readonly progress: TransferProgress;
      readonly bytesPerSecond: number;
    }
  /** `lasting`: to be read when the step is over as well */
  | { readonly type: 'note'; readonly stage: string; readonly step: string; readonly message: string; readonly lasting?: true }
  /** how far a Python environment is that is made because a step needs it */
  | { readonly type: 'environment'; readonly environment: string; readonly message: string }
  | { readonly type: 'warning'; readonly message: string }
  | {
      readonly type: 'step-done';
      readonly stage: string;
      readonly step: string;
      readonly artifact: ArtifactRef;
      readonly metrics: Readonly<Record<string, unknown>>;
      readonly seconds: number;
    }
  | {
      readonly type: 'stage-done';
      readonly stage: string;
      readonly run: string | undefined;
      readonly artifact: ArtifactRef;
      readonly reused: boolean;
      readonly seconds: number;
    }
  | {
      readonly type: 'stage-failed';
      readonly stage: string;
      readonly step: string;
      readonly run: string;
      readonly failure: Failure;
    };

export type Emit = (event: RunEvent) => void;
