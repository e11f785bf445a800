import * as z from 'zod';
import { TRAIN } from './environments.ts';

/** Sizes as docker and podman take them: `512m`, `16g`. */
const size = z.string().regex(/^[1-9]\d*[bkmg]?$/i, 'expected a size such as "16g"');

/** A bare process of this machine, in a Python environment that zephyr makes, or in one that is named here. */
export const processOptions = z.strictObject({
  /** Interpreter of an environment that holds torch and TRL; unset means one that zephyr makes. */
  python: z.string().min(1).optional(),
  /** The same for programs of other packages, by the name of the folder of scripts/train/environments that pins them. */
  pythons: z.record(z.string(), z.string().min(1)).default({}),
  /** Variables that the job gets beyond the fixed ones, such as `CUDA_VISIBLE_DEVICES`. Never a secret: the log may hold them. */
  environment: z.record(z.string(), z.string()).default({}),
});

const container = z.strictObject({
  /** holds torch and TRL */
  image: z.string().min(1),
  /** images for programs of other packages, by the name of the folder of scripts/train/environments that pins them */
  images: z.record(z.string(), z.string().min(1)).default({}),
  /** `all`, or device numbers such as `0,1`; used for jobs on `cuda` alone */
  gpus: z
    .string()
    .regex(/^(all|\d+(,\d+)*)$/, 'expected "all" or device numbers such as "0,1"')
    .default('all'),
  /** shared memory, for NCCL and for data loader workers */
  shmSize: size.default('8g'),
  /** ceiling of the job's memory; unset means that of the machine */
  memory: size.optional(),
  /** `uid:gid` that the job runs as; unset means the caller's, so that the files in the job folder are the caller's */
  user: z
    .string()
    .regex(/^\d+:\d+$/, 'expected "uid:gid"')
    .optional(),
  /** seconds between SIGTERM and SIGKILL when the engine itself stops the container: the time a save takes */
  stopTimeout: z.int().nonnegative().default(300),
  /** `none` is enough for every job of ours: inputs are mounted */
  network: z.enum(['none', 'bridge', 'host']).default('none'),
  /** further folders to mount, read-only, at the same path */
  mounts: z.array(z.string().startsWith('/', 'expected an absolute path')).default([]),
  environment: z.record(z.string(), z.string()).default({}),
});
export const dockerOptions = container;
export const podmanOptions = container;
export type ContainerOptions = z.infer<typeof container>;

export const hasImage = ({ images }: Pick<ContainerOptions, 'images'>, environment: string): boolean =>
  environment === TRAIN || images[environment] !== undefined;
