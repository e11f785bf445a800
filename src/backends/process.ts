import { glob } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { isEarlierBoot } from '../base/host-id.ts';
import { ZephyrError } from '../errors.ts';
import { type JobHandle, type JobLabels, type JobState, jobHandle } from '../model/job.ts';
import type { Backend, SubmitRequest } from './backend.ts';
import { environmentDigest, environmentPins } from './environments.ts';
import {
  attemptName,
  controlFolder,
  jobEnvironment,
  layControl,
  programArgv,
  readExit,
  readIfThere,
  supervisorArgv,
} from './job-folder.ts';
import { isAlive, killMarked, signalIfThere } from './processes.ts';
import { checkPython } from './python-check.ts';

export interface ProcessBackendOptions {
  /** this machine and boot, `hostname/boot`: a pid of another boot names nothing */
  readonly host: string;
  /** absolute path of the interpreter that holds what a Python environment pins, by the name of that */
  readonly python: (environment: string) => Promise<string>;
  /** root of all job folders, which are one or two levels below: where `find` looks */
  readonly jobs: string;
  /** folder of this installation: holds scripts/train */
  readonly root: string;
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
export function processBackend(options: ProcessBackendOptions): Backend {
  const { host } = options;

  async function find(labels: JobLabels): Promise<JobHandle | undefined> {
    const claim = `control/${attemptName(labels)}/claim.json`;
    for await (const path of glob(`{*,*/*}/${claim}`, { cwd: options.jobs })) {
      const handle = await readClaim(join(options.jobs, path));
      if (handle !== undefined) return handle;
    }
    return undefined;
  }

  return {
    name: 'process',
    async check(environments) {
      const { root, jobs } = options;
      for (const name of environments)
        await checkPython({ python: await options.python(name), requirements: environmentPins({ root }, name), jobs });
    },
    environment: (name) => environmentDigest(options, name),
    find,
    state: (handle) => stateOf(host, handle),

    async submit(request) {
      const known = (await readClaim(claimPath(request))) ?? (await find(request.labels));
      if (known !== undefined) return known;
      await refuseCompany(host, request);
      return await start(options, request);
    },

    async cancel(handle, graceSeconds) {
      const before = await stateOf(host, handle);
      if (before.state !== 'running') return before;
      const supervisor = Number(handle.id.split(':')[0]);
      signalIfThere(supervisor, 'SIGTERM');
      if (!(await endsWithin(host, handle, graceSeconds * 1000))) {
        signalIfThere(supervisor, 'SIGUSR1');
        // a supervisor that was stopped cannot kill; without it the marker finds the rest
        if (!(await endsWithin(host, handle, SUPERVISOR_MS))) signalIfThere(supervisor, 'SIGKILL');
        await endsWithin(host, handle, SUPERVISOR_MS);
      }
      return await stateOf(host, handle);
    },

    async forget() {
      // nothing is kept outside the job folder
    },
  };
}

const claimPath = ({ folder, labels }: Pick<SubmitRequest, 'folder' | 'labels'>): string =>
  join(controlFolder(folder, labels), 'claim.json');

async function readClaim(path: string): Promise<JobHandle | undefined> {
  const text = await readIfThere(path);
  return text === undefined ? undefined : jobHandle.parse(JSON.parse(text));
}

/** Two attempts in one folder would write over each other's checkpoints. */
async function refuseCompany(host: string, { folder }: SubmitRequest): Promise<void> {
  for await (const path of glob('control/*/claim.json', { cwd: folder })) {
    const other = await readClaim(join(folder, path));
    if (other !== undefined && (await stateOf(host, other)).state === 'running') {
      throw new ZephyrError(
        `Cannot start a job in "${folder}": attempt ${other.labels.epoch} of "${other.labels.step}" is running there`,
        {
          exit: 'conflict',
        },
      );
    }
  }
}

async function start(options: ProcessBackendOptions, request: SubmitRequest): Promise<JobHandle> {
  const control = await layControl(request, join(options.root, 'scripts', 'train'));
  const python = await options.python(request.environment);
  const handle = { backend: 'process', host: options.host, folder: request.folder, labels: request.labels };
  const supervisor = execa(
    python,
    [...supervisorArgv(control, request, ['--claim', JSON.stringify(handle)]), ...programArgv(python, request.program)],
    {
      cwd: request.folder,
      env: {
        PATH: [dirname(python), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter),
        ...jobEnvironment(join(request.folder, 'home'), request, options.environment ?? {}),
      },
      extendEnv: false,
      // a session of its own: neither our terminal's Ctrl-C nor our death reaches it
      detached: true,
      cleanup: false,
      stdio: 'ignore',
      reject: false,
    },
  );
  supervisor.nodeChildProcess.unref();
  let ended: string | undefined;
  void supervisor.then((result) => {
    ended = result.shortMessage ?? `exit code ${result.exitCode}`;
  });
  const deadline = performance.now() + SUPERVISOR_MS;
  for (;;) {
    const over = ended;
    const claimed = await readClaim(claimPath(request));
    if (claimed !== undefined) return claimed;
    if (over !== undefined || performance.now() > deadline) {
      throw new ZephyrError(
        `Cannot start "${request.program}" with "${python}": ${over ?? 'its supervisor gave no sign of life'}`,
        {
          exit: 'preflight',
          hint: `See ${join(request.folder, 'log.txt')}`,
        },
      );
    }
    await sleep(POLL_MS);
  }
}

async function stateOf(host: string, handle: JobHandle): Promise<JobState> {
  // the order matters: the supervisor writes exit.json and then goes
  const alive = handle.host === host && (await isAlive(handle.id));
  const exit = await readExit(handle);
  if (exit !== undefined) return { state: 'exited', ...exit };
  if (alive) return { state: 'running' };
  const ours = (await readClaim(claimPath(handle)))?.id === handle.id;
  if (handle.host === host) {
    const killed = await killMarked(handle.id);
    return ours || killed ? KILLED : { state: 'absent' };
  }
  // the same machine after a reboot: nothing of the job can be left
  if (ours && isEarlierBoot(handle.host, host)) return KILLED;
  return { state: 'unknown', why: `the job runs on "${machineOf(handle.host)}", which cannot be seen from here` };
}

/** The supervisor went without a word: it and the program were killed outright. */
const KILLED: JobState = { state: 'exited', code: 137, outOfMemory: false };

const machineOf = (host: string): string | undefined => host.split('/')[0];

async function endsWithin(host: string, handle: JobHandle, milliseconds: number): Promise<boolean> {
  const deadline = performance.now() + milliseconds;
  while ((await stateOf(host, handle)).state === 'running') {
    if (performance.now() >= deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}
