import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../base/sha256.ts';
import { ZephyrError } from '../errors.ts';

/** The Python environment of a program that names no other: that of training, torch and TRL. */
export const TRAIN = 'train';

/** Where the Python environments of an installation are: a program names its own, `environments/NAME` pins what is in it. */
export interface Environments {
  /** folder of this installation: holds scripts/train */
  readonly root: string;
  /** folder of this user for what can be made again */
  readonly cache: string;
}

export const environmentPins = ({ root }: Pick<Environments, 'root'>, name: string): string =>
  join(root, 'scripts', 'train', 'environments', name, 'requirements.txt');

/** The interpreter that a target names for an environment, if it names one: then zephyr makes none. */
export function givenPython(
  { python, pythons }: { readonly python?: string | undefined; readonly pythons: Readonly<Record<string, string>> },
  name: string,
): string | undefined {
  return pythons[name] ?? (name === TRAIN ? python : undefined);
}

/** What `pip install` is told to install, as text. */
export async function readRequirements(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) throw new ZephyrError(`Cannot read the pinned requirements at "${path}"`, { exit: 'preflight' });
  return text;
}

/** sha256 of the pins: it stands for the environment in a fingerprint. */
export async function environmentDigest(environments: Pick<Environments, 'root'>, name: string): Promise<string> {
  return sha256(await readRequirements(environmentPins(environments, name)));
}

/** Whether zephyr runs from a clone, where developers set it up, and not from a package. */
const isCheckout = (root: string): boolean => existsSync(join(root, 'scripts', 'setup.mjs'));

/**
 * The folder of a virtual environment. That of `train` in a checkout is .venv, where the tools of its tests are as well; any
 * other is in the cache, named after its pins, so that several installations share it and new pins get a new one.
 */
export async function environmentFolder(environments: Environments, name: string): Promise<string> {
  const { root, cache } = environments;
  if (name === TRAIN && isCheckout(root)) return join(root, '.venv');
  const digest = await environmentDigest(environments, name);
  return join(cache, 'environments', `${name}-${digest.slice(0, 16)}`);
}
