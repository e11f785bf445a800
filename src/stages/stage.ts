import type { Json } from '../base/canonical-json.ts';
import type { FlushBound } from '../calls/flusher.ts';
import type { Servers } from '../calls/servers.ts';
import type { RepoId } from '../model/artifact.ts';
import type { CallsProgress } from '../model/event.ts';
import type { Artifact } from '../model/outcome.ts';
import type { Teacher } from '../teachers/teacher.ts';
import type { GpuLoad } from './gpu-load.ts';

/** Where a step gets an input from: the Hub, an earlier step of its stage, or what another stage published. */
export type StepInput =
  | { readonly from: 'hub'; readonly ref: string }
  | { readonly from: 'step'; readonly step: string }
  | { readonly from: 'stage'; readonly stage: string; readonly step?: string };

/** Calls that a step will make to one teacher, as far as the recipe tells; numbers of tokens are means. */
export interface CallForecast {
  readonly teacher: string;
  /** `answers`, `judge honesty` */
  readonly purpose: string;
  /** The name for a row of its own in the plan, for calls that the step makes before all others. */
  readonly part?: string;
  /** What calls are made for: their number, or the name under which `StageBody.counts` of the stage counts them. */
  readonly items: number | { readonly count: string };
  readonly callsPerItem: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** of the reply at most */
  readonly maxTokens: number;
}

/** The rows that a step reads of an input: those of splits of one config, or of every file that has rows. */
export interface Reading {
  readonly input: string;
  /** without it the default one */
  readonly config?: string;
  readonly splits: readonly string[] | 'all';
}

/** A step as planned: data, no function; two equal steps give equal artifacts. */
export interface Step {
  readonly stage: string;
  readonly name: string;
  /** one line for the plan: `train 7B, 1 epoch, global batch 128` */
  readonly summary: string;
  readonly inputs: Readonly<Record<string, StepInput>>;
  /** Of a task: inputs that it names in its result and reads nothing of, which are not brought to this machine for it. */
  readonly named?: readonly string[];
  /** Part of the fingerprint; becomes `config` of job.json. */
  readonly config: Json;
  /** The files that do the work, relative to scripts/train; their digests are part of the fingerprint. */
  readonly files: readonly string[];
  readonly output: RepoId;
  /** What it reads of datasets that it did not get from an earlier step, as `config` says it; no part of the fingerprint. */
  readonly reads?: readonly Reading[];
  /** What its model needs of a GPU, for the plan's reckoning of memory and time; no part of the fingerprint. */
  readonly load?: GpuLoad;
  /** What it will ask of teachers, for the price in a plan; no part of the fingerprint. */
  readonly calls?: readonly CallForecast[];
  /** Teachers that it asks only where those of `calls` fail, by the recipe's names; no part of the fingerprint. */
  readonly spare?: readonly string[];
  /** A later step of the stage whose calls this one makes in advance, as soon as their material is there. */
  readonly prefetch?: string;
  /** Dollars that the run of the stage may spend at most; no part of the fingerprint. */
  readonly budgetUsd?: number;
  /** Share of its calls that may stay without a reply, where the recipe says it; no part of the fingerprint. */
  readonly maxUnanswered?: number;
  readonly work:
    | {
        readonly kind: 'job';
        readonly program: string;
        /** name of the Python environment that the program runs in */
        readonly environment: string;
        readonly training: Training | undefined;
        /** For a job that is no training and runs on all ranks of its target as one does. */
        readonly ranks?: 'all';
        /** Optimizer steps, or batches of other jobs, between two checkpoints; 0 leaves it to the job's clock. */
        readonly saveSteps: number;
      }
    | { readonly kind: 'task'; readonly task: string };
}

/** What a job that trains asks of its target. */
export interface Training {
  /** rows of one optimizer step over all ranks */
  readonly globalBatch: number;
  /** The key of the target's `hardware.microBatch` that says how many rows a rank takes at once, see `StageModule.microBatches`. */
  readonly microBatch: string;
  /** For a program that knows no other ranks. */
  readonly processes?: 'one';
}

/** What an in-process step may use. It writes its files under `out` and nothing else. */
export interface TaskContext {
  /** `STAGE/STEP`, for messages */
  readonly step: string;
  readonly config: Json;
  /** verified folders, by input name; without those of `Step.named` */
  readonly inputs: Readonly<Record<string, string>>;
  /** what each input is, by its name */
  readonly artifacts: Readonly<Record<string, Artifact>>;
  readonly out: string;
  /** folder that `Step.files` are relative to */
  readonly files: string;
  /** the call log of this run of the stage lives here, durable from the first call on */
  readonly callLog: string;
  /** call logs of earlier runs of the stage, to be read only: what they hold is not paid again */
  readonly earlier: readonly string[];
  readonly budgetUsd: number | undefined;
  /** See `Unanswered`. */
  readonly maxUnanswered: number | undefined;
  /** The step of `Step.prefetch`, as far as its calls depend on it. */
  readonly prefetch: { readonly config: Json; readonly files: readonly string[] } | undefined;
  /** Hands the call log's finished files to the Hub, so that another machine can go on from them; what may be here only before. */
  readonly flush: () => Promise<void>;
  readonly flushBound: FlushBound;
  /** Something to wait for, before a call is sent, when this process may not be the run's owner any more. */
  readonly sure: (() => Promise<void> | undefined) | undefined;
  /** A teacher's servers: the recipe's own first, then those to turn to when it fails. */
  readonly teacher: (id: string) => Promise<readonly Teacher[]>;
  /** what is known of these servers from earlier steps */
  readonly servers: Servers;
  readonly signal: AbortSignal;
  readonly progress: (progress: CallsProgress) => void;
  readonly note: (message: string) => void;
}

export interface TaskResult {
  readonly metrics: Readonly<Record<string, Json>>;
  readonly costUsd: number;
}

export type Task = (context: TaskContext) => Promise<TaskResult>;
