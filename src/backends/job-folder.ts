import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { atomicWrite } from '../base/atomic-write.ts';
import { type Hardware, worldSize } from '../model/hardware.ts';
import { type JobFile, type JobLabels, type JobResult, jobResult } from '../model/job.ts';
import type { SubmitRequest } from './scheduler.ts';
import type { ExitRecord, JobOrder } from './workspace.ts';

/** One attempt's name, fit for a file and for a container. */
export function attemptName({ run, stage, step, epoch }: JobLabels): string {
  return `zephyr-${run}-${stage}-${step}-e${epoch}`.replaceAll(/[^A-Za-z0-9_.-]/g, '_');
}

/** The folder of one attempt inside the job folder: `claim.json`, `exit.json` and the supervisor that writes them. */
export function controlFolder(folder: string, labels: JobLabels): string {
  return join(folder, 'control', attemptName(labels));
}

/** What a job finds in its folder beside job.json. */
export async function layFolders(folder: string): Promise<void> {
  for (const name of ['in', 'out', 'checkpoints', 'code']) await mkdir(join(folder, name), { recursive: true });
}

/** job.json of an order; the paths of inputs and checkpoint are relative to its folder. */
export function jobFile(order: JobOrder, inputs: JobFile['inputs'], resume: string | null): JobFile {
  const { device, microBatch, accumulation, threads, sharding, offload } = order.hardware;
  const processes = worldSize(order.hardware);
  return {
    version: 1,
    program: order.program,
    labels: order.labels,
    config: order.config,
    inputs,
    hardware: { device, processes, micro_batch: microBatch, accumulation, threads, sharding, offload },
    cadence: order.cadence,
    resume,
  };
}

/** The supervisor and what it imports. */
export const SUPERVISOR_FILES = ['supervise.py', 'peers.py', 'node_network.py', 'process_tree.py'];

/** Makes the control folder and lays the supervisor there, where a container sees it too. */
export async function layControl(folder: string, labels: JobLabels, root: string): Promise<string> {
  const control = controlFolder(folder, labels);
  await mkdir(control, { recursive: true });
  await mkdir(join(folder, 'home'), { recursive: true });
  for (const file of SUPERVISOR_FILES)
    await atomicWrite(join(control, file), await readFile(join(root, 'scripts', 'train', file)));
  return control;
}

const exitRecord = z.object({ code: z.int(), outOfMemory: z.boolean(), why: z.string().exactOptional() });

/** What the supervisor of an attempt wrote after its last process was gone; undefined while there is none. */
export async function readAttemptExit(folder: string, labels: JobLabels): Promise<ExitRecord | undefined> {
  return parseExit(await readIfThere(join(controlFolder(folder, labels), 'exit.json')));
}

/** Does what `readAttemptExit` does for a folder to which one attempt has written, where the caller knows only the folder. */
export async function readExit(folder: string): Promise<ExitRecord | undefined> {
  const [name] = await readdir(join(folder, 'control')).catch(() => []);
  return name === undefined ? undefined : parseExit(await readIfThere(join(folder, 'control', name, 'exit.json')));
}

/** What `exit.json` says; undefined when there is none. */
export function parseExit(text: string | undefined): ExitRecord | undefined {
  return text === undefined ? undefined : exitRecord.parse(JSON.parse(text));
}

/** `result.json`, or undefined when it is missing or not what the contract says: then nothing is proved. */
export function parseResult(text: string | undefined): JobResult | undefined {
  if (text === undefined) return undefined;
  try {
    return jobResult.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The last lines of a log; of a progress bar that redraws itself, its last state. */
export function tailOf(log: string, lines = 40): string[] {
  return log
    .split('\n')
    .map((line) => line.replace(/\r$/, '').replace(/^.*\r/s, ''))
    .filter((line) => line !== '')
    .slice(-lines);
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What the program is started with, the same on every backend. The working folder is the job folder. */
export function programArgv(python: string, program: string): string[] {
  return [python, `code/${program}.py`, 'job.json'];
}

/** Arguments for Python up to and with `--`; `control` as the job sees it. */
export function supervisorArgv(control: string, { hardware }: SubmitRequest, more: readonly string[] = []): string[] {
  return [`${control}/supervise.py`, control, '--log', 'log.txt', '--ranks', String(hardware.ranks), ...more, '--'];
}

/**
 * The whole environment of a job but for PATH: an allow-list, so that no secret of ours can reach the program, the log
 * or an inspect. `home` is a writable folder that outlives the attempt, because compile caches are worth keeping.
 */
export function jobEnvironment(
  home: string,
  { hardware }: { readonly hardware: Pick<Hardware, 'device' | 'threads'> },
  extra: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    HOME: home,
    // torch asks for the user's name, and the uid of a container may have none
    USER: 'zephyr',
    LOGNAME: 'zephyr',
    LANG: 'C.UTF-8',
    HF_HOME: `${home}/huggingface`,
    HF_HUB_OFFLINE: '1',
    HF_HUB_DISABLE_TELEMETRY: '1',
    TRITON_CACHE_DIR: `${home}/triton`,
    TORCHINDUCTOR_CACHE_DIR: `${home}/inductor`,
    TOKENIZERS_PARALLELISM: 'false',
    PYTHONUNBUFFERED: '1',
    // Python must not write pyc files beside the programs: the folder may be read-only, and a job would gain nothing
    PYTHONDONTWRITEBYTECODE: '1',
    OMP_NUM_THREADS: String(hardware.threads),
    ...(hardware.device === 'cuda'
      ? { PYTORCH_CUDA_ALLOC_CONF: 'expandable_segments:True', TORCH_NCCL_ASYNC_ERROR_HANDLING: '1' }
      : { CUDA_VISIBLE_DEVICES: '' }),
    ...extra,
  };
}
