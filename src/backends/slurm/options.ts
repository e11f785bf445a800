import * as z from 'zod';
import { givenPythons, TRAIN } from '../environments.ts';

const absolute = z.string().regex(/^\/[^\r\n]*$/, 'expected an absolute path');
const word = z.string().regex(/^[^\s'"\\]+$/, 'expected one word');
/** As sbatch takes it: `90` (minutes), `12:00:00`, `2-12`, `3-00:00:00`. */
const time = z.union([
  z.int().positive(),
  z.string().regex(/^(\d+|\d+:\d\d|\d+:\d\d:\d\d|\d+-\d+(:\d\d){0,2})$/, 'expected minutes, HH:MM:SS or D-HH:MM:SS'),
]);

/** What zephyr sets itself: a second word for it would undo what a job relies on. A short option may have its value attached, `-N2`. */
const OWNED =
  /^(--(job-name|comment|array|dependency|requeue|no-requeue|output|error|open-mode|export|export-file|signal|nodes|ntasks|ntasks-per-node|cpus-per-task|chdir|wait|parsable|wrap|test-only)(=|$)|-[JadoeNncDW])/;

/** One word as sbatch takes it without a shell: the value attached to its name, and no quotes around it. */
function attached(text: string): string {
  const [, name = '', value = ''] = /^(--[\w-]+|-\w)\s*=?\s*(.*)$/.exec(text.replace(/^#SBATCH\s+/, '').trim()) ?? [];
  const bare = value.replace(/^(["'])(.*)\1$/, '$2');
  return bare === '' ? name : `${name}${name.startsWith('--') ? '=' : ''}${bare}`;
}

const line = z
  .string()
  .regex(/^(#SBATCH\s+)?(--[A-Za-z]|-[A-Za-z])[^\r\n]*$/, 'expected an option of sbatch, such as "--exclusive"')
  .transform(attached)
  .refine((text) => !OWNED.test(text), 'zephyr sets this itself');

/** What a job's Python is in. */
const runtime = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('python').describe('an environment on a disk that all nodes see'),
    python: absolute
      .optional()
      .describe('Interpreter that holds torch and TRL; unset: one that zephyr makes in the shared folder'),
    pythons: z.record(z.string(), absolute).default({}).describe('The same for programs of other packages, by environment'),
  }),
  z.strictObject({
    kind: z.literal('apptainer'),
    image: absolute.describe('A .sif file that all nodes see'),
    images: z.record(z.string(), absolute).default({}).describe('The same for programs of other packages, by environment'),
    binds: z.array(absolute).default([]).describe('Further folders to bind, as apptainer takes them: SOURCE[:TARGET[:ro]]'),
    binary: z.enum(['apptainer', 'singularity']).default('apptainer'),
  }),
  z.strictObject({
    kind: z.literal('pyxis'),
    image: word.describe('A .sqsh file that all nodes see, or REGISTRY#IMAGE:TAG'),
    images: z.record(z.string(), word).default({}).describe('The same for programs of other packages, by environment'),
    mounts: z.array(absolute).default([]).describe('Further folders to mount, as pyxis takes them: SOURCE:TARGET[:ro]'),
  }),
]);

/** The small job that runs zephyr itself after `--detach`. */
const driver = z.strictObject({
  partition: word.optional().describe('Where it runs, on one CPU; unset: that of the other jobs'),
  time: time.optional().describe('Its time limit, at which it is started again; unset: that of its partition'),
  sbatch: z.array(line).default([]).describe('Further options of sbatch, in place of those of the other jobs'),
  node: absolute.optional().describe('Node.js as the cluster has it; unset: the path of the one that runs now'),
  zephyr: absolute.optional().describe("zephyr's dist/cli.js as the cluster has it; unset: the path of the one that runs now"),
  home: absolute.optional().describe('ZEPHYR_HOME as the cluster has it; unset: the path of the one that is used now'),
});

/** Jobs of a Slurm cluster, whose shared disk this machine sees. */
export const slurmOptions = z.strictObject({
  login: word.optional().describe("USER@HOST of a login node: Slurm's commands are run there by ssh; unset: here"),
  sshConfig: absolute.optional().describe('Configuration of ssh for that, in place of ~/.ssh/config'),
  folder: absolute.optional().describe('Job folders on the shared disk, as this machine has it; unset: those of ZEPHYR_HOME'),
  folderThere: absolute.optional().describe('The same folder as the cluster has it, where its path is another one'),
  partition: word.optional(),
  account: word.optional(),
  qos: word.optional(),
  constraint: z
    .string()
    .regex(/^[^\r\n]+$/, 'expected one line')
    .optional()
    .describe('Features that nodes must have, as sbatch takes them'),
  time: time.optional().describe("Time limit of one attempt, which goes on in another one; unset: the partition's"),
  gres: word.optional().describe('GPUs of a node in the words of the site, gpu:h100:8; unset: --gpus-per-node by processes'),
  sbatch: z.array(line).default([]).describe('Further options of sbatch, --exclusive or --mem=0'),
  preamble: z
    .array(z.string())
    .default([])
    .describe('Lines of shell before a job and before a driver, such as module load cuda/12'),
  runtime: runtime.prefault({ kind: 'python' }).describe('What the Python of a job is in'),
  environment: z
    .record(z.string(), z.string())
    .default({})
    .describe('Variables that a job gets beyond the fixed ones. Never a secret: the log may hold them'),
  driver: driver.prefault({}).describe('The small job that runs zephyr itself after --detach'),
  signalSeconds: z
    .int()
    .min(120, 'Slurm may send the signal a minute early, and a checkpoint takes its time: expected at least 120')
    .max(65_535)
    .default(600)
    .describe('Seconds before the time limit at which a job is told to save and leave'),
  silenceSeconds: z
    .int()
    .min(30, 'A supervisor gives a sign of life every few seconds, and a disk may hold it up: expected at least 30')
    .default(600)
    .describe('Seconds without a sign of life from any node of a job, after which its attempt is given up'),
  requeue: z
    .boolean()
    .default(false)
    .describe('Whether Slurm may put a job back in its queue: it then leaves as preempted, and a new attempt goes on'),
});
export type SlurmOptions = z.infer<typeof slurmOptions>;

/** An image that the target names, or an interpreter, or one that zephyr makes, which it does on the cluster itself alone. */
export function isSlurmEnvironment({ login, runtime }: SlurmOptions, environment: string): boolean {
  if (runtime.kind !== 'python') return environment === TRAIN || runtime.images[environment] !== undefined;
  return login === undefined || givenPythons(runtime)[environment] !== undefined;
}
