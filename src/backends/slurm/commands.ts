import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { shellWord } from '../../errors.ts';

/** What a command of Slurm came to. */
export interface Ran {
  /** undefined where it could not be run, or did not end in time */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  /** what went wrong, in one line; empty after a good end */
  readonly why: string;
}

/** Runs the commands of Slurm here, or on a login node. */
export type RunCommand = (argv: readonly string[]) => Promise<Ran>;

/** A controller that is busy takes its time; one that is away has Slurm's commands try for some ten seconds. Milliseconds. */
const TIMEOUT_MS = 60_000;
/** Lines of an error that are told: what is wrong, and what came of it. */
const LINES = 2;
/** Of ssh(1): the connection failed, and the command said nothing. */
const SSH_FAILED = 255;
/** The longest path of a socket is 104 bytes on macOS, and ssh adds 17 to the name that it is given, which `%C` makes 40. */
const LONGEST_SOCKET_FOLDER = 104 - 17 - 40 - 1;
/** Of what the user has set, these would change what zephyr means: sbatch(1), INPUT ENVIRONMENT VARIABLES. */
const OVERRIDES = ['EXPORT', 'REQUEUE', 'NO_REQUEUE', 'SIGNAL', 'OPEN_MODE', 'ARRAY_INX', 'WAIT', 'GET_USER_ENV', 'JOB_NAME'];
const PLAIN = { LC_ALL: 'C', ...Object.fromEntries(OVERRIDES.map((name) => [`SBATCH_${name}`, undefined])) };

/** Commands on this machine, which is a login node itself. */
export function localCommands(): RunCommand {
  return async ([program = '', ...args]) => read(await execa(program, args, { ...QUIET, env: PLAIN }), program);
}

interface Login {
  /** USER@HOST, or ssh://USER@HOST:PORT */
  readonly login: string;
  readonly config: string | undefined;
  /** folder of this user for what can be made again: holds the socket of a connection that is kept for a minute */
  readonly cache: string;
}

/** Commands on a login node. */
export function sshCommands({ login, config, cache }: Login): RunCommand {
  const folder = join(cache, 'ssh');
  const shares = folder.length <= LONGEST_SOCKET_FOLDER;
  const shared = ['-o', 'ControlMaster=auto', '-o', `ControlPath=${join(folder, '%C')}`, '-o', 'ControlPersist=60'];
  const configured = config === undefined ? [] : ['-F', config];
  const options = [...configured, '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=20', ...(shares ? shared : [])];
  const unset = Object.keys(PLAIN).filter((name) => name !== 'LC_ALL');
  return async (argv) => {
    if (shares) await mkdir(folder, { recursive: true, mode: 0o700 });
    const command = ['env', ...unset.flatMap((name) => ['-u', name]), 'LC_ALL=C', ...argv].map(shellWord).join(' ');
    const ran = read(await execa('ssh', [...options, login, command], QUIET), `ssh ${login}`);
    return ran.exitCode === SSH_FAILED ? { ...ran, exitCode: undefined } : ran;
  };
}

const QUIET = { stdin: 'ignore', reject: false, timeout: TIMEOUT_MS } as const;

interface CommandResult {
  readonly exitCode?: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  readonly code?: string | undefined;
  readonly shortMessage?: string | undefined;
}

function read({ exitCode, stdout, stderr, timedOut, code, shortMessage }: CommandResult, program: string): Ran {
  if (code === 'ENOENT') return { exitCode: undefined, stdout: '', why: `there is no command "${program}" on this machine` };
  if (timedOut) return { exitCode: undefined, stdout, why: `${program} gave no answer within ${TIMEOUT_MS / 1000} s` };
  if (exitCode === 0) return { exitCode, stdout, why: '' };
  const said = stderr
    .trim()
    .replaceAll(/^\w+: error: /gm, '')
    .split('\n')
    .slice(-LINES)
    .join('; ');
  return { exitCode, stdout, why: said === '' ? (shortMessage ?? `${program} ended with ${exitCode}`) : said };
}
