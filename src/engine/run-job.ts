import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { surely } from '../backends/follow.ts';
import { ZephyrError } from '../errors.ts';
import type { JobHandle, JobLabels } from '../model/job.ts';
import { newestCheckpoint } from '../runs/run-state.ts';
import { restoreCheckpoint } from './checkpoints.ts';
import { dropJob, followStep, isAwaited, type JobOutcome, noteOn, rescue, type StepJob } from './follow-step.ts';
import { hardwareOf } from './hardware.ts';
import { moveFiles } from './move-files.ts';
import { LOOK_MS } from './watch-run.ts';

/** A job that was stopped or killed is started again this often, as long as each attempt saved something new. */
const FRUITFUL_RESTARTS = 3;

/**
 * Brings the job of a step to its end: adopts the one that is alive, else goes on from the newest checkpoint that
 * verifies, else begins. Throws the `detached` error when the user turns away; the job goes on.
 */
export async function runJob(asked: Omit<StepJob, 'lookMs'> & Partial<Pick<StepJob, 'lookMs'>>): Promise<JobOutcome> {
  const job: StepJob = { lookMs: LOOK_MS, ...asked };
  let restarts = 0;
  for (let isFirst = true; ; isFirst = false) {
    const adopted = await adopt(job);
    const handle = adopted ?? (await start(job));
    const savedBefore = newestSaved(job);
    const outcome = await followStep(job, handle);
    if (outcome.ok || outcome.failure.reason !== 'interrupted') return outcome;
    // an adopted job may have been stopped while no process followed it, and what it saved may be known already
    const isFruitful = newestSaved(job) > savedBefore || (adopted !== undefined && isFirst);
    // a job that lost its place to others waits for the next place even if it saved no new checkpoint
    if (outcome.preempted !== true && !isFruitful) return outcome;
    // one that used up its time goes on as often as it takes, as long as it gets on
    if (outcome.preempted !== true && outcome.timeIsUp !== true) restarts += 1;
    if (restarts > FRUITFUL_RESTARTS) return outcome;
    noteOn(job, `${outcome.failure.message}; going on from step ${newestSaved(job)}`);
  }
}

/** The job that the run state speaks of, if the backend still knows it; what a dead one left behind is saved first. */
async function adopt(job: StepJob): Promise<JobHandle | undefined> {
  const { engine, run, step } = job;
  const { scheduler, workspace } = engine.backend;
  const known = run.state.job;
  if (known === null || known.step !== step.name) return undefined;
  const labels: JobLabels = { run: run.state.run, stage: step.stage, step: step.name, epoch: known.epoch };
  // a job whose handle never reached the branch runs where zephyr was about to submit it
  const site = known.handle ?? run.state.attempts[step.name]?.find(({ epoch }) => epoch === known.epoch);
  const sight = site === undefined ? true : scheduler.reaches(site);
  if (sight !== true && !engine.takeOver) {
    throw new ZephyrError(`Cannot go on with ${run.id}: ${sight.why}, out of sight from here`, {
      exit: 'conflict',
      hint: 'resume it there, or add --take-over if that job is gone for good',
    });
  }
  // a user who takes the run over declares a job that this machine cannot see as gone
  const handle = sight === true ? (known.handle ?? (await scheduler.find(labels))) : undefined;
  if (handle !== undefined && (await surely(scheduler, handle)).state !== 'absent') {
    if (known.handle === null) await run.hasJob(handle);
    engine.emit({ type: 'job-adopted', stage: step.stage, step: step.name, handle });
    return handle;
  }
  await rescue(job, handle?.place ?? workspace.placeOf({ repo: run.state.repo, labels }));
  await run.attemptEnded(step.name, 'lost');
  return undefined;
}

async function start(job: StepJob): Promise<JobHandle> {
  const { engine, run, step, inputs } = job;
  const { scheduler, workspace } = engine.backend;
  const hardware = hardwareOf(step, engine.target, await scheduler.hardware());
  const { repo, run: id } = run.state;
  // no job of this run is alive here, so the copies that dead attempts left only fill the disk
  await workspace.sweep({ repo, run: id }, placesOfCheckpoints(job));
  const scratch = join(engine.workFolder, id, `${step.name}-restore`);
  await rm(scratch, { recursive: true, force: true });
  const wanted = { step: step.name, scratch };
  const checkpoint = await restoreCheckpoint(engine, run, wanted, (message) => noteOn(job, message));
  await run.submitting(step.name, { backend: scheduler.name, host: scheduler.host }, checkpoint?.at);
  const labels: JobLabels = { run: id, stage: step.stage, step: step.name, epoch: run.state.epoch };
  const { program, environment } = step.work;
  const cadence = {
    save_steps: engine.target.cadence.saveSteps ?? step.work.saveSteps,
    log_steps: engine.target.cadence.logSteps,
    heartbeat_s: engine.target.cadence.heartbeatSeconds,
  };
  const code = { folder: engine.codeFolder, files: step.files };
  const { config } = step;
  const order = { repo, labels, program, code, config, inputs, hardware, cadence, checkpoint };
  const place = await moveFiles(engine, step, { direction: 'download', what: 'inputs' }, (transfer) =>
    workspace.lay(order, transfer),
  );
  await rm(scratch, { recursive: true, force: true });
  const handle = await scheduler.submit({ place, program, environment, labels, hardware });
  try {
    await run.hasJob(handle);
  } catch (error) {
    // the run was cancelled or taken over between two commits, by a user who could not know of this job
    if (!(await isAwaited(job, handle, error))) await dropJob(engine, handle);
    throw error;
  }
  engine.emit({ type: 'job-submitted', stage: step.stage, step: step.name, handle, resumedFromStep: checkpoint?.at });
  return handle;
}

function placesOfCheckpoints({ run }: StepJob): ReadonlySet<string> {
  return new Set(run.state.checkpoints.flatMap(({ lies }) => lies?.place ?? []));
}

/** Step of the newest checkpoint of the step on the run branch; 0 where there is none. */
function newestSaved({ run, step }: StepJob): number {
  return newestCheckpoint(run.state, step.name)?.at ?? 0;
}
