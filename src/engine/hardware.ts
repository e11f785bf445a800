import type { NodeHardware } from '../backends/scheduler.ts';
import { ZephyrError } from '../errors.ts';
import { type Hardware, worldSize } from '../model/hardware.ts';
import type { Target } from '../recipe/target.ts';
import { accumulation } from '../stages/accumulation.ts';
import type { Step } from '../stages/stage.ts';

/** Throws the `ZephyrError` of the first step whose global batch the target cannot divide. */
export function checkBatches(steps: readonly Step[], target: Target): void {
  for (const step of steps) hardwareOf(step, target, { device: 'cpu', cores: 1 });
}

/**
 * What a job step is given of the target: a training its ranks and the accumulation, a job that divides its work over all
 * ranks these alone, everything else one process.
 */
export function hardwareOf(step: Step, target: Target, node: NodeHardware): Hardware {
  const { device: wanted, microBatch, threads, sharding, offload } = target.hardware;
  const { training, ranks: wantedRanks } = step.work.kind === 'job' ? step.work : { training: undefined };
  const onAll = training !== undefined || wantedRanks === 'all';
  const [nodes, ranks] = onAll ? [target.hardware.nodes, target.hardware.processes] : [1, 1];
  const device = wanted === 'auto' ? node.device : wanted;
  const common = { device, nodes, ranks, threads: threads ?? Math.max(1, Math.floor(coresOf(node, device, ranks) / ranks)) };
  const whole = { ...common, sharding: 'none', offload: false } as const;
  const divided = worldSize(common) === 1 ? whole : { ...common, sharding, offload };
  if (training === undefined) return { ...divided, microBatch: 1, accumulation: 1 };
  if (training.processes === 'one' && worldSize(common) > 1) refuseRanks(step, worldSize(common));
  const micro = microBatch[training.microBatch];
  if (micro === undefined)
    throw new Error(`Cannot batch ${step.stage}/${step.name}: no stage has a micro batch "${training.microBatch}"`);
  const shares = { nodes, processes: ranks, microBatch: micro };
  const steps = accumulation(training.globalBatch, shares, `microBatch.${training.microBatch}`);
  return { ...divided, microBatch: micro, accumulation: steps };
}

function refuseRanks({ stage, name, summary }: Step, ranks: number): never {
  throw new ZephyrError(`Cannot run ${stage}/${name} (${summary}) in ${ranks} processes: its program knows one alone`, {
    hint: 'set hardware.processes and nodes to 1 in the target, or choose another method of the stage',
  });
}

/** Cores that a job may use of a node: where it takes some of the GPUs, others need theirs. */
function coresOf({ cores, gpus = 0 }: NodeHardware, device: Hardware['device'], ranks: number): number {
  return device === 'cuda' && ranks < gpus ? (cores * ranks) / gpus : cores;
}
