import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ZephyrError } from '../errors.ts';
import type { RunEvent } from '../model/event.ts';
import type { Artifact, Failure } from '../model/outcome.ts';
import { type Bound, bind } from '../plan/bind.ts';
import { type Candidate, findCandidate } from '../plan/find.ts';
import type { Plan, PlannedStep } from '../plan/plan.ts';
import { reclaim } from './checkpoints.ts';
import type { Engine } from './engine.ts';
import { dropJob } from './follow-step.ts';
import { ownRest, ownStage, type StageToOwn } from './own-stage.ts';
import { publish } from './publish.ts';
import { release } from './release.ts';
import { runJob } from './run-job.ts';
import { runTask } from './run-task.ts';
import type { StageRun } from './stage-run.ts';

export type StageOutcome =
  | {
      readonly ok: true;
      readonly stage: string;
      readonly run: string | undefined;
      readonly artifact: Artifact;
      readonly reused: boolean;
    }
  | { readonly ok: false; readonly stage: string; readonly step: string; readonly run: string; readonly failure: Failure };

/**
 * Walks the stages of a plan in order: what an equal step has published before is verified and used again, the rest is
 * run and published. Stops at the first stage that fails. `resume` names the run to go on with, by stage.
 */
export async function executePlan(
  engine: Engine,
  plan: Plan,
  resume: { readonly stage: string; readonly run: string } | undefined,
): Promise<readonly StageOutcome[]> {
  const outcomes: StageOutcome[] = [];
  const produced = new Map<string, Artifact>(Object.entries(plan.stageInputs).map(([stage, artifact]) => [stage, artifact]));
  for (const stage of plan.stages) {
    const outcome = await executeStage(engine, {
      plan,
      stage,
      produced,
      resume: resume?.stage === stage ? resume.run : undefined,
    });
    outcomes.push(outcome);
    if (!outcome.ok) break;
  }
  return outcomes;
}

async function executeStage(
  engine: Engine,
  asked: StageToOwn & { readonly produced: Map<string, Artifact> },
): Promise<StageOutcome> {
  const { plan, stage, produced, resume } = asked;
  const began = engine.now().getTime();
  const steps = plan.steps.filter((step) => step.stage === stage);
  let run: StageRun | undefined;
  let last: Artifact | undefined;
  for (const step of steps) {
    const bound = bind(plan, step, produced);
    if (bound === undefined) throw new Error(`Cannot bind ${stage}/${step.name}: a step before it published nothing`);
    const look = async (): Promise<boolean> => {
      last = await reuse(engine, step, bound);
      return last !== undefined;
    };
    if (!(await look())) run ??= await ownStage(engine, asked, look);
    if (last === undefined) {
      const owned = run as StageRun;
      const outcome = await make({ engine, plan, run: owned, step, bound }).catch((error: unknown) =>
        release(owned, step, error),
      );
      if ('failure' in outcome) return await failed(engine, owned, step, outcome.failure);
      last = outcome;
    }
    produced.set(`${stage}/${step.name}`, last);
  }
  if (last === undefined) throw new Error(`Cannot run stage ${stage}: its plan has no step`);
  produced.set(stage, last);
  // nothing was left to make, but the run that was to be resumed does not say so yet
  const open = run ?? (resume === undefined ? undefined : await ownRest(engine, last.ref, resume));
  const seconds = (engine.now().getTime() - began) / 1000;
  const isReused = run === undefined;
  const event: RunEvent = { type: 'stage-done', stage, run: run?.state.run, artifact: last.ref, reused: isReused, seconds };
  if (open !== undefined) await finished(engine, open, event);
  engine.emit(event);
  return { ok: true, stage, run: run?.state.run, artifact: last, reused: run === undefined };
}

/** What an equal step published, if its bytes are still what they were. */
export async function reuse(engine: Engine, step: PlannedStep, bound: Bound): Promise<Artifact | undefined> {
  let candidate: Candidate | undefined;
  try {
    candidate = await findCandidate(engine.hub, step.output, bound.fingerprint);
    if (candidate === undefined) return undefined;
    await engine.hub.verify(candidate.artifact.ref, candidate.manifest.files, { signal: engine.signal });
  } catch (error) {
    // a Hub that fails for a while has not said that the artifact is damaged
    if (!(error instanceof ZephyrError) || error.exit !== 'preflight') throw error;
    engine.emit({ type: 'warning', message: `${error.message}; ${step.stage}/${step.name} is made again` });
    return undefined;
  }
  engine.emit({
    type: 'step-reused',
    stage: step.stage,
    step: step.name,
    artifact: candidate.artifact.ref,
    fingerprint: bound.fingerprint,
  });
  return candidate.artifact;
}

/** A step that is to be made, and the run that it is made in. */
interface StepToMake {
  readonly engine: Engine;
  readonly plan: Plan;
  readonly run: StageRun;
  readonly step: PlannedStep;
  readonly bound: Bound;
}

async function make(asked: StepToMake): Promise<Artifact | { failure: Failure }> {
  const { engine, run, step, bound } = asked;
  const began = engine.now().getTime();
  engine.emit({ type: 'step-started', stage: step.stage, step: step.name, fingerprint: bound.fingerprint });
  // an earlier zephyr published this artifact and ended before it wrote that down
  const left = run.state.job;
  if (left?.handle != null && left.step !== step.name) await dropJob(engine, left.handle);
  const made = await work(asked);
  if ('failure' in made) return made;
  const attempts = run.attemptsOf(step.name);
  const { artifact, manifest } = await publish(engine, { step, run: run.state.run, ...bound, ...made, attempts });
  const handle = run.state.job?.handle;
  const event: RunEvent = {
    type: 'step-done',
    stage: step.stage,
    step: step.name,
    artifact: artifact.ref,
    metrics: manifest.metrics,
    seconds: (engine.now().getTime() - began) / 1000,
  };
  run.log?.announce(event);
  await run.published(step.name, bound.fingerprint, artifact);
  if (handle != null) await dropJob(engine, handle);
  await rm(join(engine.workFolder, run.state.run, step.name), { recursive: true, force: true });
  engine.emit(event);
  return artifact;
}

type WorkResult = {
  readonly folder: string;
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly costUsd: number;
};

async function work({ engine, plan, run, step, bound: { inputs } }: StepToMake): Promise<WorkResult | { failure: Failure }> {
  if (step.work.kind === 'task') {
    const prefetch = plan.steps.find(({ stage, name }) => stage === step.stage && name === step.prefetch);
    const { folder, result } = await runTask({ engine, run, step: { ...step, work: step.work }, inputs, prefetch });
    return { folder, metrics: result.metrics, versions: {}, costUsd: result.costUsd };
  }
  const job = await runJob({ engine, run, step: { ...step, work: step.work }, inputs });
  if (!job.ok) return { failure: job.failure };
  return { folder: job.folder, metrics: job.result.metrics, versions: job.result.versions, costUsd: 0 };
}

async function failed(engine: Engine, run: StageRun, step: PlannedStep, failure: Failure): Promise<StageOutcome> {
  const what = { stage: step.stage, step: step.name, run: run.id, failure };
  const event: RunEvent = { type: 'stage-failed', ...what };
  run.log?.announce(event);
  await run.giveUp(failure.reason === 'cancelled' ? 'cancelled' : 'failed', { ...failure }, failure.message);
  engine.emit(event);
  return { ok: false, ...what };
}

/** The run is over: checkpoints leave the branch's head, calls stay for later runs, the history keeps what happened. */
async function finished(engine: Engine, run: StageRun, event: RunEvent): Promise<void> {
  const handle = run.state.job?.handle;
  run.log?.announce(event);
  const hadCheckpoints = await run.finish();
  if (handle != null) await dropJob(engine, handle);
  if (hadCheckpoints) await reclaim(engine);
  await engine.backend.workspace.sweep(run.state);
}
