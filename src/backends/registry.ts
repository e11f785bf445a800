import { join } from 'node:path';
import * as z from 'zod';
import { ZephyrError } from '../errors.ts';
import type { Backend } from './backend.ts';
import { containerBackend } from './container.ts';
import { processBackend } from './process.ts';
import { dockerOptions, podmanOptions, processOptions } from './target-options.ts';

export const backendNames = ['process', 'docker', 'podman'] as const;
export type BackendName = (typeof backendNames)[number];

export interface BackendPlace {
  /** this machine and boot, `hostname/boot`; jobs of another one are out of sight */
  readonly host: string;
  /** folder of this installation: holds scripts/train and, after `npm run setup`, .venv */
  readonly root: string;
  /** root of all job folders */
  readonly jobs: string;
}

/** The backend that a target names, with the target's options for it. */
export function openBackend(
  target: { readonly backend: BackendName; readonly options: unknown },
  { host, root, jobs }: BackendPlace,
): Backend {
  const scripts = join(root, 'scripts', 'train');
  const requirements = join(scripts, 'requirements.txt');
  switch (target.backend) {
    case 'process': {
      const { python = join(root, '.venv', 'bin', 'python'), environment } = read(target.backend, processOptions, target.options);
      return processBackend({ host, python, jobs, scripts, requirements, environment });
    }
    case 'docker':
      return containerBackend({
        ...read(target.backend, dockerOptions, target.options),
        binary: 'docker',
        host,
        scripts,
        requirements,
      });
    case 'podman':
      return containerBackend({
        ...read(target.backend, podmanOptions, target.options),
        binary: 'podman',
        host,
        scripts,
        requirements,
      });
  }
}

function read<T extends z.ZodType>(name: BackendName, schema: T, options: unknown): z.infer<T> {
  const read = schema.safeParse(options);
  if (read.success) return read.data;
  throw new ZephyrError(`Cannot use these options for backend "${name}": ${z.prettifyError(read.error)}`);
}
