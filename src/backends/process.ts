import { glob } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { isEarlierBoot } from '../base/host-id.ts';
import { ZephyrError } from '../errors.ts';
import { type JobHandle, type JobLabels, type JobSite, type JobState, jobHandle } from '../model/job.ts';
import { keptAnswer, noAnswer, PROBE, PROBE_MS, remedyOf } from './capabilities.ts';
import { converse } from './conversation.ts';
import {
  environmentBase,
  environmentDigest,
  environmentFiles,
  environmentPins,
  type GivenPythons,
  withBases,
} from './environments.ts';
import type { FolderWorkspace } from './folder-workspace.ts';
import {
  attemptName,
  controlFolder,
  jobEnvironment,
  layControl,
  programArgv,
  readAttemptExit,
  readIfThere,
  supervisorArgv,
} from './job-folder.ts';
import { isProcessAlive, killMarked, signalIfThere } from './processes.ts';
import { checkPython } from './python-check.ts';
import type { Capabilities, NodeHardware, Scheduler, SubmitRequest, TalkingProgram, TalkRequest } from './scheduler.ts';
import { outOfSight, seenFrom, thisNode } from './this-node.ts';

export interface ProcessOptions {
  /** this machine and boot, `hostname/boot`: a pid of another boot names nothing */
  readonly host: string;
  /** absolute path of the interpreter that holds what a Python environment pins, by the name of that */
  readonly python: (environment: string) => Promise<string>;
  /** interpreters that the target names; zephyr makes the others */
  readonly given: GivenPythons;
  /** its job folders are one or two levels below its root: where `find` looks */
  readonly workspace: FolderWorkspace;
  /** folder of this installation: holds scripts/train */
  readonly root: string;
  /** folder of this user for what can be made again */
  readonly cache: string;
  /** variables beyond the fixed ones, such as CUDA_VISIBLE_DEVICES */
  readonly environment?: Readonly<Record<string, string>>;
}

/** How long a supervisor may take to claim its attempt, and to go once it was told to kill everything. Milliseconds. */
const SUPERVISOR_MS = 20_000;
const POLL_MS = 20;

/**
 * Jobs as processes of this machine, each below a supervisor (scripts/train/supervise.py) in a session of its own that
 * outlives us. The supervisor claims the attempt, so a submit that was cut off leaves a job that can be found, or none.
 */
export class ProcessScheduler implements Scheduler {
  readonly name = 'process';
  readonly host: string;
  readonly askEveryMs = 1000;
  readonly neverStartsMs = 0;
  readonly options: ProcessOptions;
  readonly workspace: FolderWorkspace;
  readonly given: GivenPythons;

  constructor(options: ProcessOptions) {
    this.given = options.given;
    this.host = options.host;
    this.options = options;
    this.workspace = options.workspace;
  }

  async check(environments: readonly string[]): Promise<void> {
    for (const name of await this.withBases(environments)) {
      const python = await this.options.python(name);
      const requirements = await environmentFiles(this.options, name);
      const hint = this.isGiven(name)
        ? `install what is pinned there: ${python} -m pip install -r ${requirements.at(-1)}`
        : `delete ${dirname(dirname(python))}, and it is made again`;
      await checkPython({ python, requirements, jobs: this.workspace.root, hint });
    }
  }

  async unmade(environments: readonly string[]): Promise<string[]> {
    const made = (await this.withBases(environments)).filter((name) => !this.isGiven(name));
    const lacking = await Promise.all(made.map(async (name) => ({ name, isWhole: await this.isWhole(name) })));
    return lacking.flatMap(({ name, isWhole }) => (isWhole ? [] : [name]));
  }

  isGiven(environment: string): boolean {
    return this.given[environment] !== undefined;
  }

  withBases(environments: readonly string[]): Promise<string[]> {
    return withBases(this.options, environments, (name) => this.isGiven(name));
  }

  /** The stamp is there, which the making of an environment leaves last, and so are its packages. */
  async isWhole(environment: string): Promise<boolean> {
    const folder = dirname(dirname(await this.options.python(environment)));
    if ((await readIfThere(join(folder, 'zephyr.json'))) === undefined) return false;
    return await this.check([environment]).then(
      () => true,
      (error: unknown) => {
        if (error instanceof ZephyrError) return false;
        throw error;
      },
    );
  }

  async capabilities(environment: string, gpus: boolean): Promise<Capabilities> {
    const { root, cache, environment: variables = {} } = this.options;
    const python = await this.options.python(environment);
    const who = `Python at "${python}"`;
    const run = async (): Promise<string> => {
      const env = { PATH: jobPath(python), HOME: cache, PYTHONDONTWRITEBYTECODE: '1', ...variables };
      const { exitCode, stdout, stderr, shortMessage } = await execa(python, [join(root, 'scripts', 'train', PROBE)], {
        ...{ env, extendEnv: false, stdin: 'ignore', reject: false, timeout: PROBE_MS },
      });
      if (exitCode === 0) return stdout;
      throw noAnswer(who, shortMessage ?? `exit code ${exitCode}`, stderr.trimEnd().split('\n').at(-1) ?? '');
    };
    const key = [python, JSON.stringify(variables)];
    const answer = await keptAnswer({ cache, root, key, gpus, isHere: true, run });
    return { ...answer, who, remedy: remedyOf(python, await this.pinsOfTorch(environment)) };
  }

  /** The pins of the environment that brings PyTorch: beside them is what brings it flash attention. */
  async pinsOfTorch(environment: string): Promise<string> {
    return environmentPins(this.options, (await environmentBase(this.options, environment)) ?? environment);
  }

  environment(name: string): Promise<string> {
    return environmentDigest(this.options, name);
  }

  async hardware(): Promise<NodeHardware> {
    return thisNode();
  }

  async talk({ folder, program, environment, ...hardware }: TalkRequest): Promise<TalkingProgram> {
    const { root, cache, environment: variables = {} } = this.options;
    const python = await this.options.python(environment);
    const env = { PATH: jobPath(python), ...jobEnvironment(cache, { hardware }, variables) };
    return converse(python, [join(root, 'scripts', 'train', `${program}.py`)], { cwd: folder, env, extendEnv: false });
  }

  async find(labels: JobLabels): Promise<JobHandle | undefined> {
    const claim = `control/${attemptName(labels)}/claim.json`;
    for await (const path of glob(`{*,*/*}/${claim}`, { cwd: this.workspace.root })) {
      const handle = await readClaim(join(this.workspace.root, path));
      if (handle !== undefined) return handle;
    }
    return undefined;
  }

  async submit(request: SubmitRequest): Promise<JobHandle> {
    const folder = this.workspace.folder(request.place);
    const known = (await readClaim(claimPath(folder, request.labels))) ?? (await this.find(request.labels));
    if (known !== undefined) return known;
    await this.refuseCompany(folder, request.labels);
    return await start(this.options, request);
  }

  /**
   * Two attempts in one folder would write over each other's checkpoints. One of these very labels, which another client has
   * submitted since, is no company: it is found when its supervisor cannot claim the attempt again.
   */
  async refuseCompany(folder: string, labels: JobLabels): Promise<void> {
    for await (const path of glob('control/*/claim.json', { cwd: folder })) {
      if (join(folder, path) === claimPath(folder, labels)) continue;
      const other = await readClaim(join(folder, path));
      if (other !== undefined && (await this.state(other)).state === 'running') {
        throw new ZephyrError(
          `Cannot start a job in "${folder}": attempt ${other.labels.epoch} of "${other.labels.step}" is running there`,
          { exit: 'conflict' },
        );
      }
    }
  }

  async state(handle: JobHandle): Promise<JobState> {
    const folder = this.workspace.folder(handle.place);
    // the order matters: the supervisor writes exit.json and then goes
    const isHere = handle.host === this.host;
    const alive = isHere && (await isProcessAlive(handle.id));
    const exit = await readAttemptExit(folder, handle.labels);
    if (exit !== undefined) return { state: 'exited', ...exit };
    if (alive) return { state: 'running' };
    const ours = (await readClaim(claimPath(folder, handle.labels)))?.id === handle.id;
    if (isHere) {
      const killed = await killMarked(handle.id);
      return ours || killed ? KILLED : { state: 'absent' };
    }
    // the machine was rebooted since, so no process of the job can be left
    return ours && isEarlierBoot(handle.host, this.host) ? KILLED : outOfSight(handle);
  }

  async cancel(handle: JobHandle, graceSeconds: number): Promise<JobState> {
    const before = await this.state(handle);
    if (before.state !== 'running') return before;
    const supervisor = Number(handle.id.split(':')[0]);
    signalIfThere(supervisor, 'SIGTERM');
    if (!(await this.endsWithin(handle, graceSeconds * 1000))) {
      signalIfThere(supervisor, 'SIGUSR1');
      // a stopped supervisor cannot kill its processes; once it is gone, zephyr finds them by the marker
      if (!(await this.endsWithin(handle, SUPERVISOR_MS))) signalIfThere(supervisor, 'SIGKILL');
      await this.endsWithin(handle, SUPERVISOR_MS);
    }
    return await this.state(handle);
  }

  async endsWithin(handle: JobHandle, milliseconds: number): Promise<boolean> {
    const deadline = performance.now() + milliseconds;
    while ((await this.state(handle)).state === 'running') {
      if (performance.now() >= deadline) return false;
      await sleep(POLL_MS);
    }
    return true;
  }

  async forget(): Promise<void> {
    // the backend keeps nothing outside of the job folder
  }

  reaches(job: JobSite, from = this.host): true | { readonly why: string } {
    return seenFrom({ backend: this.name, host: from }, job);
  }
}

const jobPath = (python: string): string => [dirname(python), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter);

/** The supervisor went without a word: it and the program were killed outright. */
const KILLED: JobState = { state: 'exited', code: 137, outOfMemory: false };

function claimPath(folder: string, labels: JobLabels): string {
  return join(controlFolder(folder, labels), 'claim.json');
}

async function readClaim(path: string): Promise<JobHandle | undefined> {
  const text = await readIfThere(path);
  return text === undefined ? undefined : jobHandle.parse(JSON.parse(text));
}

async function start(options: ProcessOptions, request: SubmitRequest): Promise<JobHandle> {
  const { host, workspace, environment = {} } = options;
  const { place, labels, program } = request;
  const python = await options.python(request.environment);
  const folder = workspace.folder(place);
  const control = await layControl(folder, labels, options.root);
  const claim = ['--claim', JSON.stringify({ backend: 'process', host, place, labels })];
  const supervisor = execa(python, [...supervisorArgv(control, request, claim), ...programArgv(python, program)], {
    cwd: folder,
    env: {
      PATH: jobPath(python),
      ...jobEnvironment(join(folder, 'home'), request, environment),
    },
    extendEnv: false,
    // the supervisor gets a session of its own, so that neither Ctrl-C in this terminal nor the end of zephyr reaches it
    detached: true,
    cleanup: false,
    stdio: 'ignore',
    reject: false,
  });
  supervisor.nodeChildProcess.unref();
  let ended: string | undefined;
  void supervisor.then((result) => {
    ended = result.shortMessage ?? `exit code ${result.exitCode}`;
  });
  const deadline = performance.now() + SUPERVISOR_MS;
  for (;;) {
    const over = ended;
    const claimed = await readClaim(claimPath(folder, labels));
    if (claimed !== undefined) return claimed;
    if (over !== undefined || performance.now() > deadline) {
      throw new ZephyrError(`Cannot start "${program}" with "${python}": ${over ?? 'its supervisor gave no sign of life'}`, {
        exit: 'preflight',
        hint: `See ${join(folder, 'log.txt')}`,
      });
    }
    await sleep(POLL_MS);
  }
}
