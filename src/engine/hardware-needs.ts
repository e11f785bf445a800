import * as z from 'zod';
import type { Capabilities, Scheduler } from '../backends/scheduler.ts';
import { ZephyrError } from '../errors.ts';
import type { Hardware } from '../model/hardware.ts';
import type { Decision } from '../plan/explain.ts';
import type { Target } from '../recipe/target.ts';
import { FLASH_ATTENTION } from '../stages/generated/programs.ts';
import type { Step } from '../stages/stage.ts';
import { hardwareOf } from './hardware.ts';

/** A job to run that computes on the device with an attention of the recipe's choice. */
interface Need {
  readonly step: Step;
  readonly environment: string;
  readonly attention: string;
  readonly dtype: string;
}

const chosen = z.looseObject({ attention: z.string(), dtype: z.string() });

function needsOf(decisions: readonly Decision[]): Need[] {
  return decisions.flatMap(({ action, step }) => {
    const config = chosen.safeParse(step.config);
    if (action !== 'run' || step.work.kind !== 'job' || !config.success) return [];
    const { attention, dtype } = config.data;
    return [{ step, environment: step.work.environment, attention, dtype }];
  });
}

const isFlash = (attention: string): boolean => (FLASH_ATTENTION as readonly string[]).includes(attention);

/**
 * Throws a `ZephyrError` (preflight) where a job to run names an attention that is not there, before any job is started: it
 * would be told after prepare, or after hours in a queue. `decisions` may be those of a plan that is only looked at.
 */
export async function checkAttention(
  open: () => Promise<Scheduler>,
  target: Target,
  decisions: readonly Decision[],
): Promise<void> {
  const needs = needsOf(decisions).filter(({ attention }) => isFlash(attention));
  if (needs.length === 0) return;
  const scheduler = await open();
  const node = await scheduler.hardware();
  for (const need of needs) {
    refuseByItself(need, hardwareOf(need.step, target, node));
    // an environment that is yet to be made is asked when it is
    if (((await scheduler.unmade?.([need.environment])) ?? []).length > 0) continue;
    const found = await scheduler.capabilities?.(need.environment, false);
    if (found !== undefined) refuseLack(need, found);
  }
}

/** Throws a `ZephyrError` (preflight) where a job is to compute on GPUs that its Python does not see, or on more than there are. */
export async function checkDevices(
  open: () => Promise<Scheduler>,
  target: Target,
  decisions: readonly Decision[],
): Promise<void> {
  const needs = needsOf(decisions);
  if (needs.length === 0) return;
  const scheduler = await open();
  const node = await scheduler.hardware();
  for (const { step, environment } of needs) {
    const { device, ranks } = hardwareOf(step, target, node);
    const found = device === 'cuda' ? await scheduler.capabilities?.(environment, true) : undefined;
    if (found === undefined) continue;
    const { gpus, torch, who } = found;
    const where = `${step.stage}/${step.name}`;
    if (gpus.length === 0)
      throw new ZephyrError(`Cannot run ${where} on a GPU: PyTorch ${torch} of ${who} sees none`, {
        exit: 'preflight',
        hint: 'nvidia-smi shows what the driver sees; hardware.device of the target names the device',
      });
    if (gpus.length < ranks)
      throw new ZephyrError(
        `Cannot run ${where} in ${ranks} processes on each machine: ${who} sees ${gpus.length} GPU${gpus.length === 1 ? '' : 's'} (${gpus[0]})`,
        { exit: 'preflight', hint: `set hardware.processes to ${gpus.length} in the target, one for each GPU` },
      );
  }
}

/** What the device and the type of numbers rule out, whatever is installed. */
function refuseByItself({ step, attention, dtype }: Need, { device }: Hardware): void {
  const why =
    device === 'cpu'
      ? 'on a CPU: its kernels need a GPU'
      : dtype === 'bfloat16'
        ? undefined
        : `in ${dtype}: its kernels compute in bfloat16`;
  if (why === undefined) return;
  throw new ZephyrError(`Cannot run ${step.stage}/${step.name} with the attention "${attention}" ${why}`, {
    exit: 'preflight',
    hint: `set ${step.stage}.train.attention to auto, which takes the fastest that is there, or to sdpa`,
  });
}

function refuseLack({ step, attention }: Need, { lacks, who, remedy }: Capabilities): void {
  const why = lacks[attention] ?? null;
  if (why === null) return;
  throw new ZephyrError(
    `Cannot run ${step.stage}/${step.name} with the attention "${attention}": ${who} does not bring it (${why})`,
    {
      exit: 'preflight',
      hint: `set ${step.stage}.train.attention to auto, which takes the fastest that is there, or ${remedy}`,
    },
  );
}
