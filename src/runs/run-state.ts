import * as z from 'zod';
import { commitId, repoName, repoType, sha256Hex } from '../model/artifact.ts';
import { DRIVER_STEP, type JobLabels, type JobSite, jobHandle } from '../model/job.ts';
import { attempt } from '../model/manifest.ts';
import { owner } from './owner.ts';

const artifact = z.object({ ref: z.object({ type: repoType, name: repoName, commit: commitId }), digest: sha256Hex });

/**
 * A checkpoint on the run branch, under `checkpointFolder(step, at)`; listed only once all its files are there. `lies`: one
 * that its job has brought to the Hub itself, in a folder of another commit of the same repo.
 */
const checkpoint = z.object({
  step: z.string(),
  at: z.int().positive(),
  worldSize: z.int().positive(),
  lies: z.object({ place: z.string(), commit: commitId, under: z.string() }).optional(),
});
export type Checkpoint = z.infer<typeof checkpoint>;

/**
 * `.zephyr/stage.json` on the run branch: all that another machine needs to go on. Every change is one commit with a
 * parent commit, so the branch's history is the log of the run.
 */
export const runState = z.object({
  version: z.literal(1),
  run: z.string(),
  stage: z.string(),
  /** where the run branch is: the output repo of the stage */
  repo: z.object({ type: repoType, name: repoName }),
  /** the stages that were asked for, this one and those after it included */
  goal: z.array(z.string()),
  /** the validated recipe and target, defaults included */
  recipe: z.unknown(),
  target: z.unknown(),
  /** artifacts of stages outside the goal, as the user gave them */
  stageInputs: z.record(z.string(), artifact),
  /** every reference of the recipe, as it was pinned when the run began */
  pins: z.record(z.string(), artifact),
  /** sha256 over the steps as planned and the digests of what comes into the stage: equal stages have equal keys */
  key: sha256Hex,
  /** what `key` is the hash of, to say why it differs */
  keyRecord: z.unknown(),
  phase: z.enum(['running', 'detached', 'failed', 'cancelled', 'done']),
  /** the zephyr that works on the run now; none while a job runs alone */
  owner: owner.nullable(),
  /** counts the attempts at jobs over all steps; a job of an older epoch is not ours any more */
  epoch: z.int().nonnegative(),
  job: z.object({ step: z.string(), epoch: z.int().positive(), handle: jobHandle.nullable() }).nullable(),
  /**
   * The job that works on the run in place of a terminal, or waits to: see `Scheduler.drive`. It names the owner, whose process a
   * restart of the job replaces. Null once a process that is no such job owns the run.
   */
  driver: z
    .object({ epoch: z.int().positive(), backend: z.string(), host: z.string(), handle: jobHandle.nullable() })
    .nullable()
    .default(null),
  steps: z.record(z.string(), z.object({ fingerprint: sha256Hex, artifact: artifact.nullable() })),
  checkpoints: z.array(checkpoint),
  attempts: z.record(z.string(), z.array(attempt)),
  /**
   * Where calls are being paid now, or were when their zephyr was killed: the disk with this log may hold up to `calls` calls,
   * for at most `usd` United States dollars, that have not reached the branch. Null once all of them have.
   */
  log: z
    .object({ id: z.string(), host: z.string(), calls: z.int().positive(), usd: z.number().positive() })
    .nullable()
    .default(null),
  failure: z.looseObject({ reason: z.string(), message: z.string() }).nullable(),
  updatedAt: z.iso.datetime(),
});
export type RunState = z.infer<typeof runState>;

export type Driver = NonNullable<RunState['driver']>;

/** The labels of a driver; no step of a stage has this name. */
export function driverLabels({ run, stage }: Pick<RunState, 'run' | 'stage'>, epoch: number): JobLabels {
  return { run, stage, step: DRIVER_STEP, epoch };
}

export const STATE_FILE = '.zephyr/stage.json';

/** How many checkpoints of a step a run branch keeps. */
const KEPT = 2;

export function checkpointFolder(step: string, at: number): string {
  return `.zephyr/checkpoints/${step}/checkpoint-${at}`;
}

export function newestCheckpoint(state: RunState, step: string): Checkpoint | undefined {
  return state.checkpoints.filter((c) => c.step === step).sort((a, b) => b.at - a.at)[0];
}

/** The state after a checkpoint was added, and the checkpoints that give way to it. */
export function withCheckpoint(state: RunState, added: Checkpoint): { state: RunState; dropped: readonly Checkpoint[] } {
  const others = state.checkpoints.filter((c) => c.step !== added.step);
  const own = [...state.checkpoints.filter((c) => c.step === added.step && c.at !== added.at), added].sort((a, b) => b.at - a.at);
  return { state: { ...state, checkpoints: [...others, ...own.slice(0, KEPT)] }, dropped: own.slice(KEPT) };
}

/** A job is about to be submitted: the epoch fences every older one off. */
export function submitting(
  state: RunState,
  job: JobSite & {
    readonly step: string;
    readonly startedAt: string;
    readonly resumedFromStep: number | undefined;
  },
): RunState {
  const { step, backend, host, startedAt, resumedFromStep } = job;
  const epoch = state.epoch + 1;
  const begun = { epoch, backend, host, startedAt, ...(resumedFromStep === undefined ? {} : { resumedFromStep }) };
  return {
    ...state,
    epoch,
    phase: 'running',
    failure: null,
    job: { step, epoch, handle: null },
    attempts: { ...state.attempts, [step]: [...(state.attempts[step] ?? []), begun] },
  };
}

/** The newest attempt of a step has ended: `end` is `done` or the reason of the failure. */
export function attemptEnded(state: RunState, step: string, end: string, endedAt: string): RunState {
  const attempts = state.attempts[step] ?? [];
  const last = attempts.at(-1);
  if (last === undefined || last.end !== undefined) return { ...state, job: null };
  return { ...state, job: null, attempts: { ...state.attempts, [step]: [...attempts.slice(0, -1), { ...last, end, endedAt }] } };
}
