import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { atomicWrite } from '../base/atomic-write.ts';
import type { JobHandle, JobLabels } from '../model/job.ts';
import type { SubmitRequest } from './backend.ts';

/** One attempt's name, fit for a file and for a container. */
export function attemptName({ run, stage, step, epoch }: JobLabels): string {
  return `zephyr-${run}-${stage}-${step}-e${epoch}`.replaceAll(/[^A-Za-z0-9_.-]/g, '_');
}

/** The folder of one attempt inside the job folder: `claim.json`, `exit.json` and the supervisor that writes them. */
export function controlFolder(folder: string, labels: JobLabels): string {
  return join(folder, 'control', attemptName(labels));
}

/** Makes the control folder and lays the supervisor there, where a container sees it too. */
export async function layControl(request: SubmitRequest, scripts: string): Promise<string> {
  const control = controlFolder(request.folder, request.labels);
  await mkdir(control, { recursive: true });
  await mkdir(join(request.folder, 'home'), { recursive: true });
  await atomicWrite(join(control, 'supervise.py'), await readFile(join(scripts, 'supervise.py')));
  return control;
}

const exitRecord = z.object({ code: z.int(), outOfMemory: z.boolean() });
export type ExitRecord = z.infer<typeof exitRecord>;

/** What the supervisor wrote after the last process of the attempt was gone; undefined while there is none. */
export async function readExit(handle: Pick<JobHandle, 'folder' | 'labels'>): Promise<ExitRecord | undefined> {
  const text = await readIfThere(join(controlFolder(handle.folder, handle.labels), 'exit.json'));
  return text === undefined ? undefined : exitRecord.parse(JSON.parse(text));
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
  return [`${control}/supervise.py`, control, '--log', 'log.txt', '--ranks', String(hardware.processes), ...more, '--'];
}

/**
 * The whole environment of a job but for PATH: an allow-list, so that no secret of ours can reach the program, the log
 * or an inspect. `home` is a writable folder that outlives the attempt, because compile caches are worth keeping.
 */
export function jobEnvironment(
  home: string,
  request: SubmitRequest,
  extra: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    HOME: home,
    // torch asks for the user's name, which an arbitrary uid in a container does not have
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
    // the code folder may be read-only, and pyc files there would change nothing for the better
    PYTHONDONTWRITEBYTECODE: '1',
    OMP_NUM_THREADS: String(request.hardware.threads),
    ...(request.hardware.device === 'cuda'
      ? { PYTORCH_CUDA_ALLOC_CONF: 'expandable_segments:True', TORCH_NCCL_ASYNC_ERROR_HANDLING: '1' }
      : { CUDA_VISIBLE_DEVICES: '' }),
    ...extra,
  };
}
