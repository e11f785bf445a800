import { formatRef } from '../model/artifact.ts';
import { formatNumber } from '../render/format.ts';
import { runningSteps } from '../render/running-steps.ts';
import { progressParts } from '../render/wording.ts';
import { newestCheckpoint } from '../runs/run-state.ts';
import type { Context, Options } from './context.ts';
import { type RunLook, RunWatch } from './look-at-run.ts';
import { printTable } from './output.ts';
import { idsOf, runExit } from './run-exit.ts';
import { phaseOf, summary } from './runs-of.ts';
import { printDocument } from './verdict.ts';

/** `zephyr status ID`: where a run stands and how far its job is; the exit status says it too. */
export async function runStatus(context: Context, id: string, options: Options): Promise<number> {
  const look = await new RunWatch(context, id).look();
  const { state, job } = look;
  const exit = runExit(state, job);
  const progress = progressOf(look);
  if (options.json === true) {
    printDocument(exit, idsOf(state), { ...summary(state, job), job: job ?? null, progress: progress ?? null });
    return exit;
  }
  process.stdout.write(`${formatRef({ ...state.repo, revision: state.run })}\n${state.stage}  ${phaseOf(state, job)}\n`);
  if (state.failure !== null) process.stdout.write(`  ${state.failure.reason}: ${state.failure.message}\n`);
  const steps = Object.entries(state.steps).map(([step, { artifact }]) => [
    step,
    'done',
    artifact === null ? '' : formatRef(artifact.ref),
  ]);
  if (state.job !== null) {
    const saved = newestCheckpoint(state, state.job.step)?.at;
    const checkpoint = `checkpoint ${saved === undefined ? 'none yet' : formatNumber(saved)}`;
    steps.push([
      state.job.step,
      job?.state ?? 'submitting',
      [progress?.text ?? '', checkpoint].filter((part) => part !== '').join(' · '),
    ]);
  }
  if (steps.length > 0) printTable([{ title: 'step' }, { title: 'state' }, { title: 'artifact or progress' }], steps);
  return exit;
}

/** How far the job of a run is, in figures and in words; undefined before its first step, and where it cannot be seen. */
function progressOf({ state, job, events }: RunLook): Record<string, unknown> | undefined {
  if (state.job === null || job?.state !== 'running') return undefined;
  const steps = runningSteps();
  const { stage } = state;
  const { step } = state.job;
  for (const event of events) steps.apply({ type: 'job', stage, step, event }, event.t);
  const running = steps.get(stage, step);
  if (running === undefined || running.total === 0) return undefined;
  const { percent, count, loss, accuracy, rate, eta } = progressParts(running);
  return {
    step: running.done,
    steps: running.total,
    loss: running.losses.at(-1) ?? null,
    stepsPerSecond: running.rate ?? null,
    etaSeconds: running.rate === undefined ? null : (running.total - running.done) / running.rate,
    text: [percent, count, loss, accuracy, rate, eta].filter((part) => part !== '').join(' · '),
  };
}
