import { runningSteps } from '../render/running-steps.ts';
import { progressParts } from '../render/wording.ts';
import type { RunLook } from './look-at-run.ts';

/** How far the job of a run is, in figures and in words; undefined before its first step, and where it cannot be seen. */
export function progressOf({ state, job, lines, events }: RunLook): Record<string, unknown> | undefined {
  if (state.job === null || job?.state !== 'running') return undefined;
  const steps = runningSteps();
  const { stage } = state;
  const { step } = state.job;
  for (const { event, at } of lines) steps.apply(event, at);
  for (const told of events) steps.apply(told, told.event.t);
  const running = steps.get(stage, step);
  if (running === undefined || running.total === 0) return undefined;
  const { percent, count, loss, accuracy, mfu, rate, eta } = progressParts(running);
  return {
    step: running.done,
    steps: running.total,
    loss: running.losses.at(-1) ?? null,
    mfu: running.mfu ?? null,
    stepsPerSecond: running.rate ?? null,
    etaSeconds: running.rate === undefined ? null : (running.total - running.done) / running.rate,
    text: [percent, count, loss, accuracy, mfu, rate, eta].filter((part) => part !== '').join(' · '),
  };
}
