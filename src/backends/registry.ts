import * as z from 'zod';
import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import type { Backend } from './backend.ts';
import { isSlurmEnvironment, slurmOptions } from './slurm/options.ts';
import { dockerOptions, hasImage, podmanOptions, processOptions } from './target-options.ts';

/** What a backend is opened with, beside a target's options for it. */
export interface BackendPlace {
  /** this machine and boot, `hostname/boot` */
  readonly host: string;
  /** folder of this installation: holds scripts/train */
  readonly root: string;
  /** folder of this user for what can be made again: Python environments */
  readonly cache: string;
  /** root of the job folders of this machine */
  readonly jobs: string;
  /** where artifacts are, and the branches of runs */
  readonly hub: Hub;
}

/** One backend: what a target may say of it, and how its pair of scheduler and workspace is opened. */
export interface BackendModule<Options extends z.ZodType = z.ZodType> {
  /** Strict, with every default. */
  readonly options: Options;
  /** Nodes that one job may have at most. */
  readonly nodes: number;
  /** Whether the pins of a Python environment stand for it in a fingerprint; else the scheduler is asked, who knows an image. */
  readonly pinned?: true;
  /** Whether programs of a Python environment can be run: the target names what holds it, or zephyr makes it. Without it, of any. */
  readonly canHave?: (options: z.output<Options>, environment: string) => boolean;
  readonly open: (options: z.output<Options>, place: BackendPlace) => Promise<Backend>;
}

export function defineBackend<Options extends z.ZodType>(module: BackendModule<Options>): BackendModule<Options> {
  return module;
}

/** The only list of backends: target files, their schema and `openBackend` go by it. */
export const BACKENDS = {
  process: defineBackend({
    options: processOptions,
    nodes: 1,
    pinned: true,
    open: async (options, place) => {
      const { ProcessScheduler } = await import('./process.ts');
      const { environmentPython, givenPythons } = await import('./environments.ts');
      const given = givenPythons(options);
      const workspace = await localWorkspace(place);
      const scheduler = new ProcessScheduler({
        ...place,
        workspace,
        environment: options.environment,
        given,
        python: async (name) => await environmentPython({ ...place, given }, name),
      });
      return { scheduler, workspace };
    },
  }),
  docker: defineBackend({
    options: dockerOptions,
    nodes: 1,
    canHave: hasImage,
    open: (options, place) => openContainers('docker', options, place),
  }),
  podman: defineBackend({
    options: podmanOptions,
    nodes: 1,
    canHave: hasImage,
    open: (options, place) => openContainers('podman', options, place),
  }),
  slurm: defineBackend({
    options: slurmOptions,
    nodes: 1024,
    pinned: true,
    canHave: isSlurmEnvironment,
    open: async (options, place) => await (await import('./slurm/open.ts')).openSlurm(options, place),
  }),
};

async function openContainers(
  binary: 'docker' | 'podman',
  options: z.output<typeof dockerOptions>,
  place: BackendPlace,
): Promise<Backend> {
  const { ContainerScheduler } = await import('./container.ts');
  const workspace = await localWorkspace(place);
  return {
    scheduler: new ContainerScheduler({ ...options, ...place, binary, workspace }),
    workspace,
  };
}

async function localWorkspace({ jobs, hub }: BackendPlace) {
  const { FolderWorkspace } = await import('./folder-workspace.ts');
  return new FolderWorkspace('local', jobs, hub);
}

/** Whether a target can have a Python environment, by what it says of itself: nothing is asked or made. */
export function canHave(target: { readonly backend: string; readonly options: unknown }, environment: string): boolean {
  const modules: Readonly<Record<string, BackendModule>> = BACKENDS;
  const module = modules[target.backend];
  const read = module?.options.safeParse(target.options);
  // options that cannot be read are refused where the backend is opened
  return read?.success !== true || (module?.canHave?.(read.data, environment) ?? true);
}

/** The backend that a target names, with the target's options for it. */
export async function openBackend(
  target: { readonly backend: string; readonly options: unknown },
  place: BackendPlace,
  backends: Readonly<Record<string, BackendModule>> = BACKENDS,
): Promise<Backend> {
  const module = backends[target.backend];
  if (module === undefined)
    throw new ZephyrError(`Cannot open backend "${target.backend}": expected ${Object.keys(backends).join(', ')}`);
  const read = module.options.safeParse(target.options);
  if (read.success) return await module.open(read.data, place);
  throw new ZephyrError(`Cannot use these options for backend "${target.backend}": ${z.prettifyError(read.error)}`);
}
