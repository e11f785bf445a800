import type { Hardware } from '../model/job.ts';
import type { Target } from '../recipe/target.ts';
import { accumulation } from '../stages/accumulation.ts';
import type { Step } from '../stages/stage.ts';

/** What this machine offers a job whose target says `auto`. */
export interface Machine {
  readonly cuda: boolean;
  readonly cores: number;
}

/** Throws the `ZephyrError` of the first step whose global batch the target cannot divide. */
export function checkBatches(steps: readonly Step[], target: Target): void {
  for (const step of steps) hardwareOf(step, target, { cuda: false, cores: 1 });
}

/** What a job step is given of the target: ranks and accumulation for training, one process for everything else. */
export function hardwareOf(step: Step, target: Target, machine: Machine): Hardware {
  const { device: wanted, microBatch, threads } = target.hardware;
  const device = wanted === 'auto' ? (machine.cuda ? 'cuda' : 'cpu') : wanted;
  const globalBatch = step.work.kind === 'job' ? step.work.globalBatch : undefined;
  const processes = globalBatch === undefined ? 1 : target.hardware.processes;
  const common = { device, processes, threads: threads ?? Math.max(1, Math.floor(machine.cores / processes)) };
  if (globalBatch === undefined) return { ...common, micro_batch: 1, accumulation: 1 };
  const micro = step.stage === 'ddpo' ? microBatch.ddpo : microBatch.dsft;
  return { ...common, micro_batch: micro, accumulation: accumulation(globalBatch, { processes, microBatch: micro }) };
}
