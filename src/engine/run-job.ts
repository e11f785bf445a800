import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { followJob } from '../backends/follow.ts';
import { hostId, isEarlierBoot } from '../base/host-id.ts';
import { ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { JOB_EXIT, type JobEvent, type JobHandle, type JobLabels, type JobResult, type JobState } from '../model/job.ts';
import type { Artifact, Failure } from '../model/outcome.ts';
import { attemptEnded, newestCheckpoint, submitting } from '../runs/run-state.ts';
import type { Step } from '../stages/stage.ts';
import { keepCheckpoint, leftBehind, restoreCheckpoint } from './checkpoints.ts';
import type { Engine } from './engine.ts';
import { hardwareOf } from './hardware.ts';
import { jobFolderOf, layOutJob, sweepRun } from './job-folder.ts';
import { isLost } from './journal.ts';
import { GRACE_SECONDS } from './mark-cancelled.ts';
import { readRun, type StageRun } from './stage-run.ts';
import { LOOK_MS, watchRun } from './watch-run.ts';

type JobStep = Step & { readonly work: { readonly kind: 'job' } };

export type JobOutcome =
  /** The job is still the run's, so that what it made is published again should that fail: see `dropJob`. */
  { readonly ok: true; readonly folder: string; readonly result: JobResult } | { readonly ok: false; readonly failure: Failure };

/** A job that was stopped or killed is started again this often, as long as each attempt saved something new. */
const FRUITFUL_RESTARTS = 3;

/**
 * Brings the job of a step to its end: adopts the one that is alive, else goes on from the newest checkpoint that
 * verifies, else begins. Throws the `detached` error when the user turns away; the job goes on.
 */
export async function runJob(
  engine: Engine,
  run: StageRun,
  step: JobStep,
  inputs: Readonly<Record<string, Artifact>>,
  lookMs = LOOK_MS,
): Promise<JobOutcome> {
  for (let restarts = 0; ; restarts += 1) {
    const adopted = await adopt(engine, run, step);
    const handle = adopted ?? (await start(engine, run, step, inputs));
    const savedBefore = newestSaved(run, step);
    const outcome = await watch(engine, run, step, handle, inputs, lookMs);
    const fruitful = (newestSaved(run, step) ?? 0) > (savedBefore ?? 0);
    // an adopted job may have been stopped while nobody looked, and what it saved may be known already
    const again = fruitful || (adopted !== undefined && restarts === 0);
    if (outcome.ok || outcome.failure.reason !== 'interrupted' || !again || restarts >= FRUITFUL_RESTARTS) return outcome;
    note(engine, step, `${outcome.failure.message}; going on from step ${newestSaved(run, step) ?? 0}`);
  }
}

/** Ends and forgets a job that nobody needs: its step is published, or nobody will look for it. One out of sight is left. */
export async function dropJob({ backend }: Engine, handle: JobHandle, graceSeconds = 0): Promise<void> {
  if (handle.backend !== backend.name) return;
  const { state } = await backend.cancel(handle, graceSeconds);
  if (state !== 'unknown') await backend.forget(handle);
}

/** The job that the run state speaks of, if the backend still knows it; what a dead one left behind is saved first. */
async function adopt(engine: Engine, run: StageRun, step: JobStep): Promise<JobHandle | undefined> {
  const { job } = run.state;
  if (job === null || job.step !== step.name) return undefined;
  const labels: JobLabels = { run: run.state.run, stage: step.stage, step: step.name, epoch: job.epoch };
  // one whose handle never reached the branch runs where it was about to be submitted
  const place = job.handle ?? run.state.attempts[step.name]?.find(({ epoch }) => epoch === job.epoch);
  const isElsewhere = place !== undefined && isOutOfSight(engine, place);
  if (isElsewhere && !engine.takeOver) throw outOfSight(run, place);
  // who takes the run over has said that a job out of sight is gone
  const handle = isElsewhere ? undefined : (job.handle ?? (await engine.backend.find(labels)));
  const state: JobState = handle === undefined ? { state: 'absent' } : await engine.backend.state(handle);
  if (handle !== undefined && state.state !== 'absent') {
    if (job.handle === null) await run.advance({ ...run.state, job: { ...job, handle } }, `adopt ${step.name} e${job.epoch}`);
    engine.emit({ type: 'job-adopted', stage: step.stage, step: step.name, handle });
    return handle;
  }
  await rescue(engine, run, step, jobFolderOf(engine.workFolder, labels));
  await run.advance(attemptEnded(run.state, step.name, 'lost', engine.now().toISOString()), `lost ${step.name} e${job.epoch}`);
  return undefined;
}

type Place = Pick<JobHandle, 'host' | 'backend'>;

/** A job that can only be seen from another machine or through another backend is not dead because we cannot see it. */
function isOutOfSight(engine: Engine, { host, backend }: Place): boolean {
  const here = hostId();
  return (backend !== engine.backend.name || host !== here) && !isEarlierBoot(host, here);
}

function outOfSight(run: StageRun, { host, backend }: Place): ZephyrError {
  return new ZephyrError(
    `Cannot go on with ${formatRef({ ...run.state.repo, revision: run.state.run })}: its job runs on ${host} through ${backend}, out of sight from here`,
    { exit: 'conflict', hint: 'resume it there, or add --take-over if that job is gone for good' },
  );
}

async function start(
  engine: Engine,
  run: StageRun,
  step: JobStep,
  inputs: Readonly<Record<string, Artifact>>,
): Promise<JobHandle> {
  const hardware = hardwareOf(step, engine.target, engine.machine);
  // no job of this run is alive here: what dead attempts left would fill the disk, one copy each
  await sweepRun(engine.workFolder, run.state.run);
  const scratch = join(engine.workFolder, run.state.run, `${step.name}-restore`);
  await rm(scratch, { recursive: true, force: true });
  const restored = await restoreCheckpoint(engine.hub, run.state, run.head, step.name, hardware.processes, scratch, (message) =>
    note(engine, step, message),
  );
  const begun = engine.now().toISOString();
  await run.advance(
    submitting(run.state, step.name, begun, engine.backend.name, hostId(), restored?.at),
    `submit ${step.name} e${run.state.epoch + 1}`,
  );
  const labels: JobLabels = { run: run.state.run, stage: step.stage, step: step.name, epoch: run.state.epoch };
  const folder = jobFolderOf(engine.workFolder, labels);
  await layOutJob({
    hub: engine.hub,
    folder,
    codeFolder: engine.codeFolder,
    step,
    program: step.work.program,
    labels,
    inputs,
    hardware,
    cadence: {
      save_steps: engine.target.cadence.saveSteps ?? step.work.saveSteps,
      log_steps: engine.target.cadence.logSteps,
      heartbeat_s: engine.target.cadence.heartbeatSeconds,
    },
    checkpoint: restored?.folder,
  });
  await rm(scratch, { recursive: true, force: true });
  const handle = await engine.backend.submit({
    folder,
    program: step.work.program,
    environment: step.work.environment,
    labels,
    hardware,
  });
  try {
    await run.advance(
      { ...run.state, job: { step: step.name, epoch: labels.epoch, handle } },
      `run ${step.name} e${labels.epoch}`,
    );
  } catch (error) {
    // cancelled or taken over between two commits: whoever did it could not know of this job
    if (!(await isAwaited(engine, run, labels.epoch, error))) await dropJob(engine, handle);
    throw error;
  }
  engine.emit({ type: 'job-submitted', stage: step.stage, step: step.name, handle, resumedFromStep: restored?.at });
  return handle;
}

/**
 * Whether anybody will look for the job of this epoch after what stopped us: nobody does when the run was cancelled, or has
 * another job by now, or is gone on with on a machine that cannot see this one. A Hub that does not answer says nothing.
 */
async function isAwaited({ hub }: Engine, { state }: StageRun, epoch: number, thrown: unknown): Promise<boolean> {
  if (!isLost(thrown)) return true;
  const found = await readRun(hub, state.repo, state.run).catch(() => undefined);
  if (found === undefined) return true;
  const { phase, job, owner } = found.state;
  return phase !== 'cancelled' && job?.epoch === epoch && (owner === null || owner.host === hostId());
}

async function watch(
  engine: Engine,
  run: StageRun,
  step: JobStep,
  handle: JobHandle,
  inputs: Readonly<Record<string, Artifact>>,
  lookMs: number,
): Promise<JobOutcome> {
  let said: string | undefined;
  const lost = new AbortController();
  const watching = watchRun(run, lookMs, (error) => lost.abort(error));
  try {
    for await (const item of followJob(engine.backend, handle, { signal: AbortSignal.any([engine.signal, lost.signal]) })) {
      if (item.type === 'note') note(engine, step, item.message);
      else if (item.type === 'event') {
        const event = inTermsOf(inputs, item.event);
        engine.emit({ type: 'job', stage: step.stage, step: step.name, event });
        if (event.type === 'error') said = event.message;
        if (event.type === 'save') await save(engine, run, step, join(handle.folder, event.path));
      } else return await settle(engine, run, step, handle, item.state, item.result, item.logTail, said);
    }
    lost.signal.throwIfAborted();
  } catch (error) {
    // whoever cancelled the run or took it over may be on a machine that cannot reach the job
    if (!(await isAwaited(engine, run, handle.labels.epoch, error))) await dropJob(engine, handle, GRACE_SECONDS);
    throw error;
  } finally {
    watching.end();
  }
  throw new ZephyrError(`Turned away from ${step.stage}/${step.name}; its job goes on`, { exit: 'detached' });
}

/** A program knows its inputs by the names of their folders; a user knows them by their IDs. */
function inTermsOf(inputs: Readonly<Record<string, Artifact>>, event: JobEvent): JobEvent {
  const named = (message: string): string =>
    Object.entries(inputs).reduce((text, [name, { ref }]) => text.replaceAll(`"${name}"`, `"${formatRef(ref)}"`), message);
  if (event.type === 'error') return { ...event, message: named(event.message) };
  const input = event.type === 'dropped' ? inputs[event.input] : undefined;
  return event.type === 'dropped' && input !== undefined ? { ...event, input: formatRef(input.ref) } : event;
}

async function settle(
  engine: Engine,
  run: StageRun,
  step: JobStep,
  handle: JobHandle,
  state: JobState,
  result: JobResult | undefined,
  logTail: readonly string[],
  said: string | undefined,
): Promise<JobOutcome> {
  const judged = judge(state, result, logTail, said);
  const folder = join(handle.folder, 'out');
  if (judged.ok && (await stat(folder).catch(() => undefined)) !== undefined) return { ...judged, folder };
  const outcome = judged.ok ? GONE : judged;
  const { reason } = outcome.failure;
  await rescue(engine, run, step, handle.folder);
  await engine.backend.forget(handle);
  await run.advance(
    attemptEnded(run.state, step.name, reason, engine.now().toISOString()),
    `${step.name} e${handle.labels.epoch} ended: ${reason}`,
  );
  return outcome;
}

/** Of a job that ended a while ago, before anybody published what it made. */
const GONE: JobOutcome & { ok: false } = {
  ok: false,
  failure: { reason: 'lost', message: 'what the job made was deleted before it was published' },
};

/** Success is proved by result.json and the last step, never by the exit code alone. */
function judge(
  state: JobState,
  result: JobResult | undefined,
  logTail: readonly string[],
  said: string | undefined,
): { ok: true; result: JobResult } | { ok: false; failure: Failure } {
  if (state.state !== 'exited')
    return { ok: false, failure: { reason: 'lost', message: 'the backend does not know the job any more' } };
  const { code } = state;
  if (code === 0 && result !== undefined && result.global_step === result.max_steps) return { ok: true, result };
  if (code === 0)
    return { ok: false, failure: { reason: 'job-failed', code, message: 'the program ended without its last step', logTail } };
  if (state.outOfMemory)
    return { ok: false, failure: { reason: 'out-of-memory', message: 'the job took more memory than it may' } };
  if (code === JOB_EXIT.interrupted)
    return { ok: false, failure: { reason: 'interrupted', message: 'the job was stopped and saved its state' } };
  if (code === 74) return { ok: false, failure: { reason: 'disk-full', message: said ?? 'the job could not write its files' } };
  if (code >= JOB_EXIT.configOrData.from && code <= JOB_EXIT.configOrData.to) {
    return { ok: false, failure: { reason: 'bad-data', message: said ?? `the program refused its input (exit ${code})` } };
  }
  if (code > 128) return { ok: false, failure: { reason: 'interrupted', message: `the job was killed by signal ${code - 128}` } };
  return {
    ok: false,
    failure: { reason: 'job-failed', code, message: said ?? `the program ended with exit code ${code}`, logTail },
  };
}

/** A Hub that fails for a while ends nothing: the job goes on, and the next checkpoint is tried again. */
async function save(engine: Engine, run: StageRun, step: JobStep, folder: string): Promise<void> {
  await keep(engine, run, step, folder).catch((error: unknown) => {
    if (!(error instanceof ZephyrError) || error.exit !== 'temporary') throw error;
    note(engine, step, `a checkpoint is on this disk only: ${error.message}`);
  });
}

async function keep(engine: Engine, run: StageRun, step: JobStep, folder: string): Promise<void> {
  if (!(await keepCheckpoint(engine, run, step.name, folder))) return;
  const at = newestSaved(run, step);
  if (at !== undefined) engine.emit({ type: 'checkpoint', stage: step.stage, step: step.name, at });
}

/**
 * Complete checkpoints that nobody took over because the follower died before the job did, or the Hub failed. Throws where
 * it still fails: the next job would sweep away what is on this disk only.
 */
async function rescue(engine: Engine, run: StageRun, step: JobStep, folder: string): Promise<void> {
  for (const checkpoint of await leftBehind(folder)) {
    const at = Number(checkpoint.slice(checkpoint.lastIndexOf('-') + 1));
    if (at > (newestSaved(run, step) ?? 0)) await keep(engine, run, step, checkpoint);
  }
}

function newestSaved(run: StageRun, step: Step): number | undefined {
  return newestCheckpoint(run.state, step.name)?.at;
}

function note(engine: Engine, step: Step, message: string): void {
  engine.emit({ type: 'note', stage: step.stage, step: step.name, message });
}
