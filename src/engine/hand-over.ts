import { isAlive, type JobHandle, type JobLabels, type JobState } from '../model/job.ts';
import type { Artifact } from '../model/outcome.ts';
import { bind } from '../plan/bind.ts';
import type { Plan } from '../plan/plan.ts';
import { type Driver, driverLabels } from '../runs/run-state.ts';
import { isLost } from './call-log.ts';
import { driverState, handleOf } from './driver.ts';
import type { Engine } from './engine.ts';
import { reuse } from './execute.ts';
import { findOwn, ownStage, type StageToOwn } from './own-stage.ts';
import type { StageRun } from './stage-run.ts';

/** A run that a job works on, or waits to. */
export interface HandedOver {
  /** `hf://...@run-...` */
  readonly id: string;
  readonly handle: JobHandle;
  /** it was handed over before, by another command */
  readonly before?: JobState;
}

interface HandOver {
  readonly plan: Plan;
  readonly resume?: { readonly stage: string; readonly run: string } | undefined;
  /** submits the driver of a run */
  readonly drive: (run: StageRun, labels: JobLabels) => Promise<JobHandle>;
}

/**
 * Brings the first stage that has something left to do to its run, and hands that to a job that works on it and on the stages
 * after it. A run that was handed over already is left to its driver. Undefined where nothing is left to do.
 */
export async function handOver(engine: Engine, { plan, resume, drive }: HandOver): Promise<HandedOver | undefined> {
  const produced = new Map<string, Artifact>(Object.entries(plan.stageInputs));
  for (const stage of plan.stages) {
    const asked = { plan, stage, produced, resume: resume?.stage === stage ? resume.run : undefined };
    if (await isMade(engine, asked, produced)) continue;
    const known = await handedOver(engine, asked);
    if (known !== undefined) return known;
    const run = await ownStage(engine, asked, () => isMade(engine, asked, produced));
    if (run !== undefined) return await give(engine, run, drive);
  }
  return undefined;
}

/** Whether all steps of a stage are published; those that are come into `produced`. Whoever works on it tells that. */
async function isMade(asking: Engine, { plan, stage }: StageToOwn, produced: Map<string, Artifact>): Promise<boolean> {
  const engine: Engine = { ...asking, emit: () => undefined };
  let last: Artifact | undefined;
  for (const step of plan.steps.filter((one) => one.stage === stage)) {
    const bound = bind(plan, step, produced);
    last = bound === undefined ? undefined : await reuse(engine, step, bound);
    if (last === undefined) return false;
    produced.set(`${stage}/${step.name}`, last);
  }
  if (last !== undefined) produced.set(stage, last);
  return true;
}

async function handedOver(engine: Engine, asked: StageToOwn): Promise<HandedOver | undefined> {
  const { scheduler } = engine.backend;
  const found = await findOwn(engine, asked);
  if (found === undefined || found.state.driver === null || engine.takeOver) return undefined;
  const driver = await driverState(scheduler, found.state);
  if (driver === undefined || !isAlive(driver.state)) return undefined;
  const handle = await handleOf(scheduler, found.state, found.state.driver);
  return handle === undefined ? undefined : { id: found.id, handle, before: driver.state };
}

/** The intent is written first, so that a job whose submitter died is found again by its labels. */
async function give({ backend: { scheduler } }: Engine, run: StageRun, drive: HandOver['drive']): Promise<HandedOver> {
  const epoch = run.state.epoch + 1;
  const driver: Driver = { epoch, backend: scheduler.name, host: scheduler.host, handle: null };
  run.log?.announce({ type: 'session-ended', exit: 'detached', message: `a job on ${scheduler.host} goes on with it` });
  await run.handOver(driver);
  const handle = await drive(run, driverLabels(run.state, epoch));
  await run.handOver({ ...driver, handle }).catch((error: unknown) => {
    // the job has begun to work on the run, and writes down itself which it is
    if (!isLost(error)) throw error;
  });
  return { id: run.id, handle };
}
