import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { execa } from 'execa';
import * as z from 'zod';
import { sha256 } from '../base/sha256.ts';
import { type ExitName, ZephyrError } from '../errors.ts';
import { type Environments, environmentBase, environmentFolder, environmentPins, environmentPython } from './environments.ts';

export interface EnvironmentRequest extends Environments {
  /** name of a folder of scripts/train/environments */
  readonly name: string;
  /** files of that folder to install from; without a word its pins alone */
  readonly files?: readonly string[];
  /** variables of the process: pip takes its settings from them, ZEPHYR_PYTHON names the Python to build on */
  readonly env: Readonly<Record<string, string>>;
}

export interface Making extends EnvironmentRequest {
  readonly signal?: AbortSignal;
  /** how far it is, as a sentence without a subject */
  readonly say: (message: string) => void;
  readonly now?: () => number;
}

/** A line of scripts/train/environments/make.py. */
const progress = z.union([
  z.object({ failed: z.enum(['away', 'full', 'refused', 'unfit', 'other']), message: z.string() }),
  z.object({ doing: z.literal('wait') }),
  z.object({ doing: z.literal('venv'), python: z.string() }),
  z.object({ doing: z.literal('fetch'), what: z.string(), done: z.int(), total: z.int() }),
  z.object({ doing: z.literal('download'), what: z.string(), size: z.string(), done: z.int(), total: z.int() }),
  z.object({ doing: z.literal('install'), total: z.int() }),
  z.object({ doing: z.literal('retry') }),
  z.object({ doing: z.literal('bake') }),
]);
type Progress = z.infer<typeof progress>;
type Failed = Extract<Progress, { failed: string }>;
type Doing = Exclude<Progress, Failed>;

/** Milliseconds between two lines of progress of the same kind. */
const LINE_MS = 10_000;
const PYTHONS = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python'];

const program = ({ root }: Environments): string => join(root, 'scripts', 'train', 'environments', 'make.py');

/** What make.py installs from, and the interpreter of the environment that this one extends, if it does. */
async function installArgv(request: EnvironmentRequest, base: string | undefined): Promise<string[]> {
  const files = (request.files ?? ['requirements.txt']).map((file) => join(environmentPins(request, request.name), '..', file));
  return base === undefined ? files : ['--on', await environmentPython(request, base), ...files];
}

/** Whether an environment is whole, by the stamp that its making leaves last. */
export async function isMade(request: EnvironmentRequest): Promise<boolean> {
  const base = await environmentBase(request, request.name);
  const folder = await environmentFolder(request, request.name);
  const argv = [program(request), folder, 'check', ...(await installArgv(request, base))];
  return (await execa(join(folder, 'bin', 'python'), argv, quiet(request.env))).exitCode === 0;
}

/**
 * Makes a Python environment, or what is missing of it; one that is whole is left alone. One process makes it at a time, the
 * others wait for it. What was cut short goes on from what pip kept. An environment that it extends must be there. Throws a `ZephyrError`: `temporary` where the packages
 * cannot be fetched now, `preflight` where they or Python are not to be had, `detached` when the signal stopped it.
 */
export async function makeEnvironment(making: Making): Promise<void> {
  const { name, say, signal, now = () => performance.now() } = making;
  const folder = await environmentFolder(making, name);
  const scratch = join(making.cache, 'environments', `${name}-${sha256(folder).slice(0, 16)}`);
  const base = await environmentBase(making, name);
  // what is compiled for one version of Python is seen by that one alone
  const python = base === undefined ? await findPython(making.env) : await environmentPython(making, base);
  const started = now();
  const argv = [program(making), folder, scratch, ...(await installArgv(making, base))];
  const working = execa(python, argv, { ...quiet(making.env), ...(signal !== undefined && { cancelSignal: signal }) });
  const { failed, told } = await tell(working.stdout, folder, { say, now });
  const { exitCode, isCanceled, stderr } = await working;
  if (isCanceled)
    throw new ZephyrError(`Stopped while Python environment "${name}" was being made`, {
      exit: 'detached',
      hint: 'run it again: what was fetched is kept',
    });
  if (exitCode !== 0)
    throw failure(name, failed ?? { failed: 'other', message: stderr.trim().split('\n').at(-1) ?? '' }, `${scratch}.log`);
  if (told !== undefined) say(`made in ${Math.round((now() - started) / 1000)} s`);
}

/** Says what the program of the making does, line by line; what it ended in, and whether there was anything to say. */
async function tell(
  stdout: Readable,
  folder: string,
  { say, now }: { readonly say: Making['say']; readonly now: () => number },
): Promise<{ failed?: Failed; told?: Told }> {
  let failed: Failed | undefined;
  let told: Told | undefined;
  for await (const line of createInterface({ input: stdout })) {
    const step = progress.parse(JSON.parse(line));
    if ('failed' in step) failed = step;
    else {
      if (told === undefined && step.doing !== 'wait') say(`made in ${folder}, once, by pip`);
      if (isTooSoon(step, told, now())) continue;
      told = { doing: step.doing, at: now() };
      say(sentence(step));
    }
  }
  return { ...(failed && { failed }), ...(told && { told }) };
}

interface Told {
  readonly doing: Doing['doing'];
  /** milliseconds */
  readonly at: number;
}

/** Each download is told, and a step that repeats at most once in `LINE_MS`. */
function isTooSoon(step: Doing, told: Told | undefined, now: number): boolean {
  if (told === undefined || step.doing === 'download' || now - told.at >= LINE_MS) return false;
  return step.doing === told.doing || (step.doing === 'fetch' && told.doing === 'download');
}

function sentence(step: Doing): string {
  switch (step.doing) {
    case 'wait':
      return 'another process makes it; waiting';
    case 'venv':
      return `an empty one with Python ${step.python}`;
    case 'fetch':
      return `${step.done} of ${step.total} packages`;
    case 'download':
      return `${step.done} of ${step.total} packages, downloading ${step.what} (${step.size})`;
    case 'install':
      return `installing ${step.total} packages`;
    case 'retry':
      return 'the package index does not answer; trying again';
    case 'bake':
      return 'laying down files that its programs would else fetch';
  }
}

function failure(name: string, { failed, message }: Failed, log: string): ZephyrError {
  const ways: Record<Failed['failed'], { exit: ExitName; why: string; hint: string }> = {
    away: {
      exit: 'temporary',
      why: 'the package index cannot be reached',
      hint: `look at the network and at pip's settings, then run it again: what was fetched is kept; pip's words are in ${log}`,
    },
    full: {
      exit: 'temporary',
      why: 'no space left on the disk',
      hint: 'its packages may take some gigabytes; free some space and run it again',
    },
    refused: {
      exit: 'preflight',
      why: message,
      hint: 'look who owns it and whether its disk is mounted for writing; XDG_CACHE_HOME names another folder for Python environments',
    },
    unfit: {
      exit: 'preflight',
      why: message,
      hint: 'name another Python in ZEPHYR_PYTHON: the pins are tried with 3.11 to 3.13',
    },
    other: { exit: 'preflight', why: message, hint: `pip's words are in ${log}` },
  };
  const { exit, why, hint } = ways[failed];
  return new ZephyrError(`Cannot make Python environment "${name}": ${why}`, { exit, hint });
}

/** The first Python of 3.11 or later that can make a virtual environment; one that the pins are tried with goes first. */
async function findPython(env: Readonly<Record<string, string>>): Promise<string> {
  const names = env.ZEPHYR_PYTHON === undefined ? PYTHONS : [env.ZEPHYR_PYTHON];
  const asked = await Promise.all(names.map(async (name) => ({ name, version: await versionOf(name, env) })));
  const seen = asked.flatMap(({ name, version }) => (version === undefined ? [] : [{ name, version }]));
  const minor = ({ version }: { version: string }): number => Number(version.split('.')[1]);
  const fit = seen.filter((python) => python.version.startsWith('3.') && minor(python) >= 11);
  const found = seen.map(({ name, version }) => `${name} is ${version}`).join(', ') || `no ${names.join(', ')} on the PATH`;
  if (fit.length === 0)
    throw new ZephyrError(`Cannot find Python 3.11 or later: ${found}`, {
      exit: 'preflight',
      hint: 'install it, or name one in ZEPHYR_PYTHON',
    });
  fit.sort((one, other) => Number(minor(one) > 13) - Number(minor(other) > 13));
  for (const { name } of fit) if ((await execa(name, ['-c', 'import venv, ensurepip'], quiet(env))).exitCode === 0) return name;
  throw new ZephyrError(`Cannot make a virtual environment: the module venv is missing (${found})`, {
    exit: 'preflight',
    hint: 'on Debian and Ubuntu: apt-get install python3-venv',
  });
}

async function versionOf(python: string, env: Readonly<Record<string, string>>): Promise<string | undefined> {
  const code = 'import sys; print(".".join(map(str, sys.version_info[:3])))';
  const { exitCode, stdout } = await execa(python, ['-c', code], quiet(env));
  return exitCode === 0 ? stdout.trim() : undefined;
}

const quiet = (env: Readonly<Record<string, string>>) => ({ env, extendEnv: false, stdin: 'ignore', reject: false }) as const;
