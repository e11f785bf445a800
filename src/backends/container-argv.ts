import { join } from 'node:path';
import { getegid, geteuid } from 'node:process';
import { PLACE_LABEL } from './container-engine.ts';
import type { FolderWorkspace } from './folder-workspace.ts';
import { attemptName, jobEnvironment, programArgv, supervisorArgv } from './job-folder.ts';
import type { SubmitRequest, TalkRequest } from './scheduler.ts';
import type { ContainerOptions } from './target-options.ts';

export interface ContainerSchedulerOptions extends ContainerOptions {
  readonly binary: 'docker' | 'podman';
  /** this machine and boot, `hostname/boot` */
  readonly host: string;
  readonly workspace: FolderWorkspace;
  /** folder of this installation: holds scripts/train, whose pins an image must have been built from */
  readonly root: string;
  /** folder of this user for what can be made again */
  readonly cache: string;
}

/** Where the job folder is mounted. */
const JOB = '/job';
/** Under `--network none` torchrun waits for ever unless its own host name resolves. */
const HOST_NAME = 'zephyr-job';

/**
 * `docker run` for one job. Only the job folder is writable, and in it neither the inputs nor the code; no capability,
 * no network, no variable of ours. `--init`, because Python as process 1 would ignore SIGTERM.
 */
export function runArgv(options: ContainerSchedulerOptions, request: SubmitRequest, cdi: boolean): string[] {
  const { place, labels, hardware, program } = request;
  const folder = options.workspace.folder(place);
  const name = attemptName(labels);
  const rootless = options.binary === 'podman' && geteuid?.() !== 0;
  const environment = {
    ...jobEnvironment(`${JOB}/home`, request, options.environment),
    ...(options.network === 'none' && hardware.ranks > 1 && { GLOO_SOCKET_IFNAME: 'lo', NCCL_SOCKET_IFNAME: 'lo' }),
  };
  return [
    ...['run', '--detach', '--init', '--pull', 'never', '--name', name],
    ...Object.entries(labels).flatMap(([key, value]) => ['--label', `zephyr.${key}=${value}`]),
    ...['--label', `${PLACE_LABEL}=${place}`],
    ...['--stop-timeout', String(options.stopTimeout), '--shm-size', options.shmSize],
    ...(options.memory === undefined ? [] : ['--memory', options.memory, '--memory-swap', options.memory]),
    ...['--user', options.user ?? `${geteuid?.() ?? 0}:${getegid?.() ?? 0}`],
    ...(rootless ? ['--userns', 'keep-id'] : []),
    ...READ_ONLY,
    ...['--network', options.network],
    ...(options.network === 'host' ? [] : ['--hostname', HOST_NAME, '--add-host', `${HOST_NAME}:127.0.0.1`]),
    // NCCL pins memory; an engine that itself may not lift limits would refuse, so CPU jobs do not ask
    ...(hardware.device === 'cuda'
      ? ['--ulimit', 'memlock=-1', '--ulimit', 'stack=67108864', ...gpuArgv(options.gpus, cdi)]
      : []),
    ...mount(folder, JOB),
    ...mount(`${folder}/in`, `${JOB}/in`, 'readonly'),
    ...mount(`${folder}/code`, `${JOB}/code`, 'readonly'),
    ...options.mounts.flatMap((path) => mount(path, path, 'readonly')),
    ...['--workdir', JOB],
    ...variables(environment),
    ...['--entrypoint', 'python3', options.image],
    ...supervisorArgv(`${JOB}/control/${name}`, request),
    ...programArgv('python3', program),
  ];
}

/** `docker run` for a program of scripts/train that prints what the image can use, on devices where they are asked for. */
export function probeArgv(
  options: ContainerSchedulerOptions,
  program: string,
  devices: { readonly cdi: boolean } | undefined,
): string[] {
  const environment = { HOME: '/tmp', USER: 'zephyr', PYTHONDONTWRITEBYTECODE: '1', ...options.environment };
  return [
    ...['run', '--rm', '--init', '--pull', 'never', '--network', 'none'],
    ...READ_ONLY,
    ...(devices === undefined ? [] : gpuArgv(options.gpus, devices.cdi)),
    ...mount(join(options.root, 'scripts', 'train'), '/zephyr', 'readonly'),
    ...options.mounts.flatMap((path) => mount(path, path, 'readonly')),
    ...variables(environment),
    ...['--entrypoint', 'python3', options.image, `/zephyr/${program}`],
  ];
}

/** `docker run` for a program to talk with: it reads the folder and writes nowhere, and goes when its stdin ends. */
export function talkArgv(options: ContainerSchedulerOptions, request: TalkRequest, cdi: boolean): string[] {
  const { folder, program, ...hardware } = request;
  const rootless = options.binary === 'podman' && geteuid?.() !== 0;
  return [
    ...['run', '--rm', '--interactive', '--init', '--pull', 'never', '--network', 'none', '--shm-size', options.shmSize],
    ...(options.memory === undefined ? [] : ['--memory', options.memory, '--memory-swap', options.memory]),
    ...['--user', options.user ?? `${geteuid?.() ?? 0}:${getegid?.() ?? 0}`],
    ...(rootless ? ['--userns', 'keep-id'] : []),
    ...READ_ONLY,
    ...(hardware.device === 'cuda' ? gpuArgv(options.gpus, cdi) : []),
    ...mount(join(options.root, 'scripts', 'train'), '/zephyr', 'readonly'),
    ...mount(folder, JOB, 'readonly'),
    ...options.mounts.flatMap((path) => mount(path, path, 'readonly')),
    ...['--workdir', JOB],
    ...variables(jobEnvironment('/tmp', { hardware }, options.environment)),
    ...['--entrypoint', 'python3', options.image, `/zephyr/${program}.py`],
  ];
}

const READ_ONLY = [
  '--cap-drop',
  'ALL',
  '--security-opt',
  'no-new-privileges',
  '--read-only',
  '--tmpfs',
  '/tmp:rw,exec,mode=1777',
];

const variables = (environment: Readonly<Record<string, string>>): string[] =>
  Object.entries(environment).flatMap(([key, value]) => ['--env', `${key}=${value}`]);

function gpuArgv(gpus: string, cdi: boolean): string[] {
  if (cdi) return gpus.split(',').flatMap((gpu) => ['--device', `nvidia.com/gpu=${gpu}`]);
  // docker wants these quotes: without them it reads what follows the comma as the next key
  return ['--gpus', gpus === 'all' ? 'all' : `"device=${gpus}"`];
}

/** A bind mount; docker and podman read the fields as a line of CSV, so a comma in a path needs quotes. */
function mount(source: string, target: string, mode?: 'readonly'): string[] {
  const field = (key: string, value: string): string =>
    /[",]/.test(value) ? `"${key}=${value.replaceAll('"', '""')}"` : `${key}=${value}`;
  return [
    '--mount',
    ['type=bind', field('source', source), field('target', target), ...(mode === undefined ? [] : [mode])].join(','),
  ];
}
