import { join } from 'node:path';
import * as z from 'zod';
import { ZephyrError } from '../errors.ts';
import { TRAIN } from '../model/job.ts';
import type { Backend } from './backend.ts';
import { containerBackend } from './container.ts';
import { environmentFolder } from './environments.ts';
import { processBackend } from './process.ts';
import { dockerOptions, podmanOptions, processOptions } from './target-options.ts';

export const backendNames = ['process', 'docker', 'podman'] as const;
export type BackendName = (typeof backendNames)[number];

export interface BackendPlace {
  /** this machine and boot, `hostname/boot`; jobs of another one are out of sight */
  readonly host: string;
  /** folder of this installation: holds scripts/train */
  readonly root: string;
  /** folder of this user for what can be made again: Python environments */
  readonly cache: string;
  /** root of all job folders */
  readonly jobs: string;
}

/** The backend that a target names, with the target's options for it. */
export function openBackend(target: { readonly backend: BackendName; readonly options: unknown }, place: BackendPlace): Backend {
  switch (target.backend) {
    case 'process': {
      const { python, pythons, environment } = read(target.backend, processOptions, target.options);
      const given: Readonly<Record<string, string>> = { ...(python !== undefined && { [TRAIN]: python }), ...pythons };
      return processBackend({
        ...place,
        environment,
        python: async (name) => given[name] ?? join(await environmentFolder(place, name), 'bin', 'python'),
      });
    }
    case 'docker':
      return containerBackend({
        ...read(target.backend, dockerOptions, target.options),
        ...place,
        binary: 'docker',
      });
    case 'podman':
      return containerBackend({
        ...read(target.backend, podmanOptions, target.options),
        ...place,
        binary: 'podman',
      });
  }
}

function read<T extends z.ZodType>(name: BackendName, schema: T, options: unknown): z.infer<T> {
  const read = schema.safeParse(options);
  if (read.success) return read.data;
  throw new ZephyrError(`Cannot use these options for backend "${name}": ${z.prettifyError(read.error)}`);
}
