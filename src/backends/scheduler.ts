import type { Hardware } from '../model/hardware.ts';
import type { JobHandle, JobLabels, JobSite, JobState } from '../model/job.ts';

export interface SubmitRequest {
  /** where the job was laid, as its workspace says it */
  readonly place: string;
  readonly program: string;
  /** name of the Python environment that the program runs in */
  readonly environment: string;
  readonly labels: JobLabels;
  readonly hardware: Hardware;
}

/** A program that talks with somebody who is there, and ends with them. */
export interface TalkRequest {
  /** absolute path on this machine; the program begins there and only reads in it */
  readonly folder: string;
  /** name of a file of scripts/train without its ending */
  readonly program: string;
  /** name of the Python environment that the program runs in */
  readonly environment: string;
  readonly device: Hardware['device'];
  readonly threads: number;
}

/** A program that reads lines and prints lines. */
export interface TalkingProgram {
  readonly send: (value: unknown) => void;
  /** what it prints, a line each; over when it has ended */
  readonly lines: AsyncIterable<string>;
  /** Resolves when it has ended: the last line that it had to say beside the protocol, or how it ended. Never rejects. */
  readonly lastWords: Promise<string>;
  /** Ends it, whatever it is doing. */
  readonly close: () => Promise<void>;
}

/** A run to be worked on by a job in place of a terminal. */
export interface DriverRequest {
  readonly labels: JobLabels;
  /** what runs zephyr: Node and its program */
  readonly program: readonly string[];
  /** arguments of zephyr, given the file of the target */
  readonly command: (target: string) => readonly string[];
  /** the target of the run */
  readonly target: { readonly options: unknown };
  /** variables that zephyr gets beyond ZEPHYR_HOME; never a secret */
  readonly env: Readonly<Record<string, string>>;
  /** zephyr's own folder */
  readonly home: string;
}

/** What one node offers a job whose target says `auto`. */
export interface NodeHardware {
  readonly device: Hardware['device'];
  readonly cores: number;
  /** GPUs of the node, of which a job may take some and then gets its share of the cores; unset where a job has the node alone */
  readonly gpus?: number;
}

/** What programs can use where they run. */
export interface Capabilities {
  /** version of PyTorch */
  readonly torch: string;
  /** names of the devices that it sees */
  readonly gpus: readonly string[];
  /** for each flash attention null, or why it cannot be had */
  readonly lacks: Readonly<Record<string, string | null>>;
  /** who was asked, in words: `image "zephyr-train"` */
  readonly who: string;
  /** what brings the attention that is lacking, as the second half of a hint */
  readonly remedy: string;
}

/**
 * What starts jobs and knows how they are. Every method may be called again after a crash of the caller, with nothing but a
 * `JobHandle` from disk. A scheduler never starts a job a second time by itself: one that was preempted has ended, and goes
 * on as a new attempt from its newest checkpoint.
 */
export interface Scheduler {
  readonly name: string;
  /** What a handle says of where its job can be seen from: this machine and boot, the name of a cluster. */
  readonly host: string;
  /** Milliseconds between two questions about a job; a list that lags behind is asked again no sooner. */
  readonly askEveryMs: number;
  /** Milliseconds for which it must say that a job can never start before it is believed; less than a minute. */
  readonly neverStartsMs: number;
  /** Throws a `ZephyrError` (exit `preflight`) that says what jobs of these Python environments would miss; changes nothing. */
  check(environments: readonly string[]): Promise<void>;
  /** Where zephyr makes Python environments for its jobs, who do not see the user's folder for what can be made again. */
  readonly cache?: string;
  /** Interpreters that the target names, by environment: zephyr makes those that extend them on top of them. */
  readonly given?: Readonly<Record<string, string>>;
  /** The Python environments among these that zephyr has yet to make, or to make again, on this machine. */
  unmade?(environments: readonly string[]): Promise<string[]>;
  /** Digest of what this Python environment holds: see `Ingredients.environment`. */
  environment(name: string): Promise<string>;
  /**
   * What programs of this Python environment can use where they run; with `gpus` on a device. Its interpreter is asked once
   * and the answer kept. Undefined where that would take a job of its own; a scheduler that always queues does without.
   */
  capabilities?(environment: string, gpus: boolean): Promise<Capabilities | undefined>;
  /** What `auto` means where the jobs run. */
  hardware(): Promise<NodeHardware>;
  /** Starts a program to talk with, which gets no network. Unset where programs wait in a queue, and nobody would be there any more. */
  talk?(request: TalkRequest): Promise<TalkingProgram>;
  /** Starts the job detached and returns at once. The same labels twice: the second call returns the first job's handle. */
  submit(request: SubmitRequest): Promise<JobHandle>;
  /**
   * Starts zephyr itself as a job that works on a run as long as that takes, started again where its node fails or its time is
   * up. What is said of other jobs goes for it. Unset where jobs outlive no machine.
   */
  drive?(request: DriverRequest): Promise<JobHandle>;
  /** The job with these labels, waiting, running or ended, if the scheduler knows one; throws when it does not answer. */
  find(labels: JobLabels): Promise<JobHandle | undefined>;
  /** A scheduler that does not answer is `unknown`, for as long as that takes. */
  state(handle: JobHandle): Promise<JobState>;
  /** SIGTERM to every rank, after `graceSeconds` SIGKILL to what is left; returns when nothing is. */
  cancel(handle: JobHandle, graceSeconds: number): Promise<JobState>;
  /** Forgets an ended job (removes the container); what lies in its place stays. */
  forget(handle: JobHandle): Promise<void>;
  /** Whether a job can be seen from the machine `from` (as `hostId` names it; this one unless given), or why not. */
  reaches(job: JobSite, from?: string): true | { readonly why: string };
}
