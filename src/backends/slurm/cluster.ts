import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, posix, relative } from 'node:path';
import { atomicWrite } from '../../base/atomic-write.ts';
import { ZephyrError } from '../../errors.ts';
import type { JobLabels } from '../../model/job.ts';
import { keptAnswer, noAnswer, PROBE, remedyOf } from '../capabilities.ts';
import {
  environmentBase,
  environmentFiles,
  environmentPins,
  environmentPython,
  type GivenPythons,
  givenPythons,
  TRAIN,
  withBases,
} from '../environments.ts';
import type { FolderWorkspace } from '../folder-workspace.ts';
import { readIfThere } from '../job-folder.ts';
import { checkPython } from '../python-check.ts';
import type { Capabilities, NodeHardware } from '../scheduler.ts';
import { siteOptions } from './batch-script.ts';
import type { RunCommand } from './commands.ts';
import type { SlurmOptions } from './options.ts';

/** What sbatch says of a job that it would never take. */
const FOR_GOOD = /invalid|not permitted|not allowed|denied|violates/i;

interface ClusterParts {
  readonly name: string;
  readonly options: SlurmOptions;
  readonly run: RunCommand;
  readonly workspace: FolderWorkspace;
  /** folder of this installation: holds scripts/train */
  readonly root: string;
}

/** A cluster as a target describes it: its commands, its disk and what its nodes have. */
export class Cluster {
  readonly name: string;
  readonly options: SlurmOptions;
  readonly run: RunCommand;
  readonly workspace: FolderWorkspace;
  readonly root: string;
  /** Python environments that zephyr makes, on the shared disk */
  readonly cache: string;
  /** interpreters that the target names */
  readonly given: GivenPythons;
  #hardware: NodeHardware | undefined;

  constructor({ name, options, run, workspace, root }: ClusterParts) {
    this.name = name;
    this.options = options;
    this.run = run;
    this.workspace = workspace;
    this.root = root;
    this.cache = workspace.root;
    this.given = options.runtime.kind === 'python' ? givenPythons(options.runtime) : {};
  }

  /** The path that the cluster has for one of this machine: another below the shared folder, else the same. */
  there(path: string): string {
    const { folderThere } = this.options;
    const below = relative(this.workspace.root, path);
    return folderThere === undefined || below.startsWith('..') ? path : posix.join(folderThere, below);
  }

  /** The options of a target for a zephyr that runs on the cluster itself. */
  optionsThere(): SlurmOptions {
    const { login: _, sshConfig: __, folderThere: ___, ...others } = this.options;
    return { ...others, folder: this.there(this.workspace.root) };
  }

  folderOf(labels: JobLabels): string {
    return this.workspace.folder(this.workspace.placeOf({ labels }));
  }

  /** Interpreter or image of a Python environment, as the cluster has it. */
  async software(environment: string): Promise<string> {
    const { runtime } = this.options;
    if (runtime.kind === 'python') return this.given[environment] ?? this.there(await environmentPython(this, environment));
    const image = runtime.images[environment] ?? (environment === TRAIN ? runtime.image : undefined);
    if (image !== undefined) return image;
    throw new ZephyrError(`Cannot run programs of Python environment "${environment}": the target names no image for it`, {
      exit: 'preflight',
      hint: `set options.runtime.images.${environment} in the target`,
    });
  }

  #withBases(environments: readonly string[]): Promise<string[]> {
    return withBases(this, environments, (name) => this.given[name] !== undefined);
  }

  async unmade(environments: readonly string[]): Promise<string[]> {
    const { login, runtime } = this.options;
    if (runtime.kind !== 'python') return [];
    const lacking: string[] = [];
    for (const name of await this.#withBases(environments)) {
      if (this.given[name] !== undefined) continue;
      if (login !== undefined)
        throw new ZephyrError(`Cannot make Python environment "${name}" for ${login}: this machine may have another system`, {
          exit: 'preflight',
          hint: `name an interpreter or an image that is there: options.runtime ${name === TRAIN ? 'python' : `pythons.${name}`}`,
        });
      const isWhole = (await readIfThere(join(await environmentPython(this, name), '..', '..', 'zephyr.json'))) !== undefined;
      if (!isWhole) lacking.push(name);
    }
    return lacking;
  }

  async check(environments: readonly string[]): Promise<void> {
    await this.#checkPartition();
    await this.#checkSite();
    await this.#checkFolder();
    const { kind } = this.options.runtime;
    for (const name of kind === 'python' ? await this.#withBases(environments) : environments) {
      if (kind === 'python') await this.#checkPython(name);
      else await this.#checkImage(await this.software(name));
    }
    if (kind === 'pyxis' && !(await this.run(['srun', '--help'])).stdout.includes('--container-image'))
      throw new ZephyrError(`Cannot start containers on ${this.name}: its srun has no --container-image`, {
        exit: 'preflight',
        hint: 'the site has no pyxis: use runtime kind apptainer or python in the target',
      });
  }

  /** Asked on a login node that sees the same disk: it has the interpreter of the nodes, but not their GPUs. */
  async capabilities(environment: string, gpus: boolean): Promise<Capabilities | undefined> {
    const { login, runtime } = this.options;
    if (gpus || login !== undefined || runtime.kind !== 'python') return undefined;
    const { root, cache } = this;
    const python = await this.software(environment);
    const who = `Python at "${python}"`;
    const run = async (): Promise<string> => {
      const { exitCode, stdout, why } = await this.run([python, join(root, 'scripts', 'train', PROBE)]);
      if (exitCode !== 0) throw noAnswer(who, why, 'it is asked on this machine, as a job would start it');
      return stdout;
    };
    const answer = await keptAnswer({ cache, root, key: [python], gpus, isHere: true, run });
    return {
      ...answer,
      who,
      remedy: remedyOf(python, environmentPins(this, (await environmentBase(this, environment)) ?? environment)),
    };
  }

  /** The partitions that Slurm lists; throws where it does not answer. */
  async #checkPartition(): Promise<void> {
    const { exitCode, stdout, why } = await this.run(['sinfo', '--noheader', '--format=%R']);
    if (exitCode !== 0) throw noSlurm(why, this.options);
    const { partition } = this.options;
    const known = [...new Set(stdout.split('\n').map((line) => line.trim()))].filter((line) => line !== '');
    for (const name of partition?.split(',') ?? [])
      if (!known.includes(name))
        throw new ZephyrError(`Cannot use partition "${name}" of ${this.name}: expected ${known.join(', ')}`, {
          exit: 'preflight',
          hint: 'set options.partition in the target',
        });
  }

  /** Has sbatch look at a job of one node without taking it; that nodes are busy or down is no reason to refuse. */
  async #checkSite(): Promise<void> {
    const { exitCode, why } = await this.run(['sbatch', '--test-only', '--wrap=true', ...siteOptions(this.options)]);
    if (exitCode === 0 || exitCode === undefined || !FOR_GOOD.test(why)) return;
    throw new ZephyrError(`Cannot submit jobs to ${this.name}: ${why}`, {
      exit: 'preflight',
      hint: 'look at partition, account, qos, constraint and time in options of the target',
    });
  }

  /** Writes a word in the shared folder and, where the commands run on another machine, reads it there. */
  async #checkFolder(): Promise<void> {
    const folder = this.workspace.root;
    const file = join(folder, `.seen-${process.pid}`);
    try {
      await mkdir(folder, { recursive: true });
      await writeFile(file, this.name);
      if (this.options.login === undefined) return;
      const { exitCode, stdout } = await this.run(['cat', this.there(file)]);
      if (exitCode === 0 && stdout === this.name) return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new ZephyrError(`Cannot write in the shared folder "${folder}": ${code}`, {
        exit: 'preflight',
        hint: 'set options.folder in the target to a folder on the disk that all nodes see',
      });
    } finally {
      await rm(file, { force: true });
    }
    throw new ZephyrError(
      `Cannot share "${folder}" with ${this.options.login}: "${this.there(folder)}" there is another folder`,
      {
        exit: 'preflight',
        hint: 'mount the disk of the cluster here, and name its path there in options.folderThere of the target',
      },
    );
  }

  async #checkPython(name: string): Promise<void> {
    const python = await this.software(name);
    const requirements = await environmentFiles(this, name);
    const hint = `install what is pinned there: ${python} -m pip install -r ${requirements.at(-1)}`;
    if (this.options.login === undefined) return await checkPython({ python, requirements, jobs: this.workspace.root, hint });
    const { exitCode, why } = await this.run([python, '-I', '-c', 'pass']);
    if (exitCode !== 0)
      throw new ZephyrError(`Cannot run Python at "${python}" on ${this.options.login}: ${why}`, { exit: 'preflight', hint });
  }

  /** A path is looked for; the name of an image in a registry is left to the job. */
  async #checkImage(image: string): Promise<void> {
    if (!image.startsWith('/') || (await this.run(['test', '-r', image])).exitCode === 0) return;
    throw new ZephyrError(`Cannot find image "${image}" on ${this.options.login ?? this.name}`, {
      exit: 'preflight',
      hint: 'build it on the shared disk: see "On a cluster" in the README',
    });
  }

  /** The smallest node of the partition, of those with GPUs where there are any; asked once. */
  async hardware(): Promise<NodeHardware> {
    this.#hardware ??= await this.#askHardware();
    return this.#hardware;
  }

  async #askHardware(): Promise<NodeHardware> {
    const { partition } = this.options;
    const of = partition === undefined ? [] : [`--partition=${partition}`];
    const { exitCode, stdout, why } = await this.run(['sinfo', '--noheader', '--format=%c|%G', ...of]);
    const nodes = stdout.split('\n').flatMap(parseNode);
    if (exitCode !== 0 || nodes.length === 0) throw noSlurm(why === '' ? 'sinfo lists no nodes' : why, this.options);
    const withGpus = nodes.filter(({ gpus }) => gpus > 0);
    const [smallest] = (withGpus.length > 0 ? withGpus : nodes).sort((one, other) => one.cores - other.cores);
    const { cores, gpus } = smallest as { cores: number; gpus: number };
    return gpus > 0 ? { device: 'cuda', cores, gpus } : { device: 'cpu', cores };
  }
}

/** `64|gpu:h100:8(S:0-1)`; a figure may end in `+` where nodes differ. */
export function parseNode(line: string): { readonly cores: number; readonly gpus: number }[] {
  const [cores = '', gres = ''] = line.trim().split('|');
  if (!/^\d+\+?$/.test(cores)) return [];
  const counts = [...gres.matchAll(/(?:^|,)gpu(?::[^:(,]+)*?(?::(\d+))?(?=[(,]|$)/g)].map(([, count]) => Number(count ?? 1));
  return [{ cores: Number.parseInt(cores, 10), gpus: counts.reduce((sum, count) => sum + count, 0) }];
}

function noSlurm(why: string, { login }: SlurmOptions): ZephyrError {
  const isMissing = /there is no command|command not found|env: .{1,20}: No such file/i.test(why);
  return new ZephyrError(`Cannot reach Slurm: ${why}`, {
    exit: isMissing ? 'preflight' : 'temporary',
    hint: !isMissing
      ? 'run the command again when it answers'
      : login === undefined
        ? 'run zephyr on a login node, or name one in options.login of the target'
        : `Slurm's commands must be in the PATH without a terminal: see that \`ssh ${login} sinfo\` works`,
  });
}

/** Name of a cluster that cannot be asked for its own: no job is on it. */
export const UNSEEN = '';

/** A name that tells this cluster from others, kept in the shared folder so that nobody need ask for it again. */
export async function clusterName(run: RunCommand, folder: string, options: SlurmOptions): Promise<string> {
  const file = join(folder, '.cluster');
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  if (kept !== undefined && kept.trim() !== '') return kept.trim();
  const { exitCode, stdout, why } = await run(['scontrol', 'show', 'config']);
  const name = /^ClusterName\s*=\s*(\S+)/m.exec(stdout)?.[1];
  if (exitCode !== 0 || name === undefined) throw noSlurm(why === '' ? 'scontrol names no cluster' : why, options);
  await mkdir(dirname(file), { recursive: true });
  await atomicWrite(file, `${name}\n`);
  return name;
}
