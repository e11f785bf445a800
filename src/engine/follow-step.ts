import { basename, join } from 'node:path';
import { type Followed, followJob } from '../backends/follow.ts';
import { hostId } from '../base/host-id.ts';
import { ZephyrError } from '../errors.ts';
import type { TransferOptions } from '../hub/transfer.ts';
import { formatRef } from '../model/artifact.ts';
import { JOB_EXIT, type JobEvent, type JobHandle, type JobResult, type JobState } from '../model/job.ts';
import type { Artifact, Failure } from '../model/outcome.ts';
import { newestCheckpoint } from '../runs/run-state.ts';
import type { Step } from '../stages/stage.ts';
import { isLost } from './call-log.ts';
import { keepCheckpoint } from './checkpoints.ts';
import type { Engine } from './engine.ts';
import { GRACE_SECONDS } from './mark-cancelled.ts';
import { moveFiles } from './move-files.ts';
import { readRun } from './read-run.ts';
import type { StageRun } from './stage-run.ts';
import { OwnerWatch } from './watch-run.ts';

/** A step whose work is a job, and the run that it is worked on in. */
export interface StepJob {
  readonly engine: Engine;
  readonly run: StageRun;
  readonly step: Step & { readonly work: { readonly kind: 'job' } };
  readonly inputs: Readonly<Record<string, Artifact>>;
  /** milliseconds between two looks at whose the run is */
  readonly lookMs: number;
}

export type JobOutcome =
  /** The job is still the run's, so that what it made is published again should that fail: see `dropJob`. */
  | { readonly ok: true; readonly folder: string; readonly result: JobResult }
  | ({ readonly ok: false; readonly failure: Failure } & Cut);

/** What ended a job other than its program, and says nothing against it. */
interface Cut {
  /** it lost its place */
  readonly preempted?: true;
  /** it used up the time that it may have at once */
  readonly timeIsUp?: true;
}

/** Follows a job to its end. Throws the `detached` error when the user turns away; the job goes on. */
export async function followStep(job: StepJob, handle: JobHandle): Promise<JobOutcome> {
  const { engine, run, step } = job;
  const lost = new AbortController();
  const watching = new OwnerWatch(run, { everyMs: job.lookMs, lost: (error) => lost.abort(error) });
  const signal = AbortSignal.any([engine.signal, lost.signal]);
  let said: string | undefined;
  try {
    for await (const item of followJob(engine.backend, handle, { signal })) {
      if (item.type === 'ended') return await finishJob(job, handle, { ...item, said });
      if (item.type === 'event' && item.event.type === 'error') said = inTermsOf(job.inputs, item.event).message;
      await tell({ ...job, engine: { ...engine, signal } }, handle, item);
    }
    lost.signal.throwIfAborted();
  } catch (error) {
    // the user who cancelled the run or took it over may be on a machine that cannot reach the job
    if (!(await isAwaited(job, handle, error))) await dropJob(engine, handle, GRACE_SECONDS);
    throw error;
  } finally {
    watching.end();
  }
  throw jobGoesOn(step);
}

function jobGoesOn(step: Step): ZephyrError {
  return new ZephyrError(`Detached from ${step.stage}/${step.name}; its job goes on`, { exit: 'detached' });
}

async function tell(job: StepJob, handle: JobHandle, item: Exclude<Followed, { type: 'ended' }>): Promise<void> {
  const { engine, step, inputs } = job;
  const of = { stage: step.stage, step: step.name };
  if (item.type === 'note') return noteOn(job, item.message);
  if (item.type === 'state') {
    const why = item.state.state === 'running' ? null : (item.state.why ?? null);
    return engine.emit({ type: 'job-state', ...of, state: item.state.state, why });
  }
  engine.emit({ type: 'job', ...of, event: inTermsOf(inputs, item.event) });
  if (item.event.type === 'save') await save(job, handle.place, basename(item.event.path));
}

/** A program knows its inputs by the names of their folders; a user knows them by their IDs. */
function inTermsOf<E extends JobEvent>(inputs: Readonly<Record<string, Artifact>>, event: E): E {
  const named = (message: string): string =>
    Object.entries(inputs).reduce((text, [name, { ref }]) => text.replaceAll(`"${name}"`, `"${formatRef(ref)}"`), message);
  if (event.type === 'error') return { ...event, message: named(event.message) };
  const input = event.type === 'dropped' ? inputs[event.input] : undefined;
  return event.type === 'dropped' && input !== undefined ? { ...event, input: formatRef(input.ref) } : event;
}

type Ended = Extract<Followed, { type: 'ended' }> & { readonly said: string | undefined };

async function finishJob(job: StepJob, handle: JobHandle, ended: Ended): Promise<JobOutcome> {
  const { engine, run, step } = job;
  const { scheduler, workspace } = engine.backend;
  if (ended.state.state === 'queued') return await refuseToWait(job, handle, ended.state.why);
  const verdict = judgeJob(ended);
  const into = join(engine.workFolder, run.state.run, step.name);
  const fetchOut = (transfer: TransferOptions) => workspace.fetchOut(handle.place, into, transfer);
  const moving = { direction: 'download', what: 'result' } as const;
  const out = verdict.ok ? await moveFiles(engine, step, moving, fetchOut) : undefined;
  if (verdict.ok && out !== undefined) return { ...verdict, folder: out };
  const outcome = verdict.ok ? GONE : verdict;
  await rescue(job, handle.place);
  await scheduler.forget(handle);
  await run.attemptEnded(step.name, outcome.failure.reason);
  return outcome;
}

/** The outcome of a job that ended a while ago and whose folder was deleted before a zephyr published what it made. */
const GONE: JobOutcome & { ok: false } = {
  ok: false,
  failure: { reason: 'lost', message: 'what the job made was deleted before it was published' },
};

/** A job that waits for what will never be there is taken back: to start it again would have it wait again. */
async function refuseToWait({ engine, run, step }: StepJob, handle: JobHandle, why: string): Promise<never> {
  await dropJob(engine, handle);
  await run.attemptEnded(step.name, 'never-started');
  throw new ZephyrError(`Cannot run ${step.stage}/${step.name}: its job can never start on ${handle.host}: ${why}`, {
    exit: 'preflight',
    hint: `ask for what there is, in the target, or choose another one with --on`,
  });
}

/** A Hub that fails for a while ends nothing: the job goes on, and the next checkpoint is tried again. */
async function save(job: StepJob, place: string, name: string): Promise<void> {
  await keep(job, place, name).catch((error: unknown) => {
    if (error instanceof ZephyrError && error.exit === 'detached') throw jobGoesOn(job.step);
    if (!(error instanceof ZephyrError) || error.exit !== 'temporary') throw error;
    noteOn(job, `a checkpoint is on this disk only: ${error.message}`);
  });
}

async function keep({ engine, run, step }: StepJob, place: string, name: string): Promise<void> {
  if (!(await keepCheckpoint(engine, run, { step: step.name, place, name }))) return;
  const at = newestCheckpoint(run.state, step.name)?.at;
  if (at !== undefined) engine.emit({ type: 'checkpoint', stage: step.stage, step: step.name, at });
}

/**
 * Takes over the complete checkpoints that were left because the follower died before the job did, or the Hub failed. Throws
 * where the Hub still fails: the next job would sweep away what is on this disk only.
 */
export async function rescue(job: StepJob, place: string): Promise<void> {
  for (const name of await job.engine.backend.workspace.checkpoints(place)) {
    const at = Number(name.slice(name.lastIndexOf('-') + 1));
    if (at > (newestCheckpoint(job.run.state, job.step.name)?.at ?? 0)) await keep(job, place, name);
  }
}

/**
 * Whether a process will look for the job after what stopped this one. None does when the run was cancelled, has another job
 * by now, or is gone on with on a machine that cannot see this job. A Hub that does not answer says nothing.
 */
export async function isAwaited({ engine, run }: StepJob, handle: JobHandle, thrown: unknown): Promise<boolean> {
  if (!isLost(thrown)) return true;
  const found = await readRun(engine.hub, run.state.repo, run.state.run).catch(() => undefined);
  if (found === undefined) return true;
  const { phase, job, owner } = found.state;
  if (phase === 'cancelled' || job?.epoch !== handle.labels.epoch) return false;
  return engine.backend.scheduler.reaches(handle, owner?.host ?? hostId()) === true;
}

/** Ends and forgets a job that is not needed: its step is published, or no process will look for it. One out of sight is left. */
export async function dropJob({ backend: { scheduler } }: Engine, handle: JobHandle, graceSeconds = 0): Promise<void> {
  if (handle.backend !== scheduler.name) return;
  const { state } = await scheduler.cancel(handle, graceSeconds);
  if (state !== 'unknown') await scheduler.forget(handle);
}

export function noteOn({ engine, step }: StepJob, message: string): void {
  engine.emit({ type: 'note', stage: step.stage, step: step.name, message });
}

/** What is known of a job that has ended. */
interface EndedJob {
  readonly state: JobState;
  readonly result: JobResult | undefined;
  readonly logTail: readonly string[];
  /** what the program said before it left, if it said so */
  readonly said: string | undefined;
}

type JobVerdict = { readonly ok: true; readonly result: JobResult } | ({ readonly ok: false; readonly failure: Failure } & Cut);

/** Success is proved by result.json and the last step, never by the exit code alone. */
function judgeJob({ state, result, logTail, said }: EndedJob): JobVerdict {
  const isWhole = result !== undefined && result.global_step === result.max_steps;
  // a scheduler may have forgotten a job whose folder proves that it is done
  if (isWhole && (state.state === 'absent' || (state.state === 'exited' && state.code === 0))) return { ok: true, result };
  if (state.state !== 'exited') return failed({ reason: 'lost', message: 'the backend does not know the job any more' });
  const { why } = state;
  if (state.preempted)
    return { ...failed({ reason: 'interrupted', message: why ?? 'the job lost its place to another one' }), preempted: true };
  if (state.cut === 'cancelled')
    return failed({ reason: 'cancelled', message: why ?? 'the job was cancelled, and not by zephyr' });
  if (state.cut === 'time-limit')
    return { ...failed({ reason: 'interrupted', message: why ?? 'the time limit of the job was over' }), timeIsUp: true };
  if (state.outOfMemory && state.code !== 0)
    return failed({ reason: 'out-of-memory', message: 'the job took more memory than it may' });
  return failed(failureOf(state.code, { said: said ?? why, why }, logTail));
}

/** What the program said before it left, and what others say of its end. */
interface Words {
  readonly said: string | undefined;
  readonly why: string | undefined;
}

/** What the exit code of a program says that did not prove its success. */
function failureOf(code: number, { said, why }: Words, logTail: readonly string[]): Failure {
  if (code === 0) return { reason: 'job-failed', code, message: 'the program ended without its last step', logTail };
  if (code === JOB_EXIT.interrupted) return { reason: 'interrupted', message: why ?? 'the job was stopped and saved its state' };
  if (code === JOB_EXIT.noDisk) return { reason: 'disk-full', message: said ?? 'the job could not write its files' };
  if (code >= JOB_EXIT.configOrData.from && code <= JOB_EXIT.configOrData.to)
    return { reason: 'bad-data', message: said ?? `the program refused its input (exit ${code})` };
  if (code > 128) return { reason: 'interrupted', message: why ?? `the job was killed by signal ${code - 128}` };
  return { reason: 'job-failed', code, message: said ?? `the program ended with exit code ${code}`, logTail };
}

function failed(failure: Failure): JobVerdict & { ok: false } {
  return { ok: false, failure };
}
