import { existsSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { sha256 } from '../base/sha256.ts';
import { ZephyrError } from '../errors.ts';

/** The Python environment of a program that names no other: that of training, torch and TRL. */
export const TRAIN = 'train';

/**
 * Where the Python environments of an installation are: a program names its own, `environments/NAME` pins what is in it. One
 * whose folder has a file `base` extends the environment that is named there: it sees the packages of that one, and its own
 * pins say what is added or is there in another version.
 */
export interface Environments {
  /** folder of this installation: holds scripts/train */
  readonly root: string;
  /** folder of this user for what can be made again */
  readonly cache: string;
  /** interpreters that a target names, by environment; zephyr makes the others, and those that extend these on top of them */
  readonly given?: GivenPythons;
}

type PinsPlace = Pick<Environments, 'root'>;
export type GivenPythons = Readonly<Record<string, string>>;

export const environmentPins = ({ root }: PinsPlace, name: string): string =>
  join(root, 'scripts', 'train', 'environments', name, 'requirements.txt');

/** The environment that this one extends, if it does; that one extends none. */
export async function environmentBase(installation: PinsPlace, name: string): Promise<string | undefined> {
  const base = await namedBase(installation, name);
  if (base !== undefined && (await namedBase(installation, base)) !== undefined)
    throw new ZephyrError(`Cannot extend Python environment "${base}" by "${name}": it extends another one itself`, {
      exit: 'preflight',
      hint: `name one that has no file "base" in ${join(environmentPins(installation, name), '..', 'base')}`,
    });
  return base;
}

async function namedBase(installation: PinsPlace, name: string): Promise<string | undefined> {
  const text = await readFile(join(environmentPins(installation, name), '..', 'base'), 'utf8').catch(() => undefined);
  return text?.trim();
}

/** The files of pins that make an environment: of the one that it extends first, its own last, which hold where both pin. */
export async function environmentFiles(installation: PinsPlace, name: string): Promise<string[]> {
  const base = await environmentBase(installation, name);
  return [...(base === undefined ? [] : [base]), name].map((each) => environmentPins(installation, each));
}

/** These environments and those that they extend, which must be there first; what a target names stands on its own. */
export async function withBases(
  installation: PinsPlace,
  names: readonly string[],
  isGiven: (name: string) => boolean,
): Promise<string[]> {
  const bases = await Promise.all(
    names.map(async (name) => (isGiven(name) ? undefined : await environmentBase(installation, name))),
  );
  return [...new Set([...bases.filter((base) => base !== undefined), ...names])];
}

/** The interpreters that a target names: for environments that it names none for, zephyr makes one. */
export function givenPythons({
  python,
  pythons,
}: {
  readonly python?: string | undefined;
  readonly pythons: GivenPythons;
}): GivenPythons {
  return { ...(python !== undefined && { [TRAIN]: python }), ...pythons };
}

/** What `pip install` is told to install, as text. */
export async function readRequirements(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) throw new ZephyrError(`Cannot read the pinned requirements at "${path}"`, { exit: 'preflight' });
  return text;
}

/**
 * sha256 of the pins, one file after the other: it stands for the environment in a fingerprint, and is the label of an image.
 */
export async function environmentDigest(installation: PinsPlace, name: string): Promise<string> {
  const texts = await Promise.all((await environmentFiles(installation, name)).map(readRequirements));
  return sha256(texts.join(''));
}

/** Whether zephyr runs from a clone, where developers set it up, and not from a package. */
const isCheckout = (root: string): boolean => existsSync(join(root, 'scripts', 'setup.mjs'));

/**
 * The folder of a virtual environment. That of `train` in a checkout is .venv, where the tools of its tests are as well; any
 * other is in the cache, named after its pins, so that several installations share it and new pins get a new one. One that
 * extends another is named after the place of that too, to which it points.
 */
export async function environmentFolder(environments: Environments, name: string): Promise<string> {
  const { root, cache } = environments;
  if (name === TRAIN && isCheckout(root)) return join(root, '.venv');
  const base = await environmentBase(environments, name);
  const digest = await environmentDigest(environments, name);
  const key = base === undefined ? digest : sha256(`${digest}\0${await prefixOf(await environmentPython(environments, base))}`);
  return join(cache, 'environments', `${name}-${key.slice(0, 16)}`);
}

/** The interpreter of an environment: the one that a target names, else that of its virtual environment. */
export async function environmentPython(environments: Environments, name: string): Promise<string> {
  return environments.given?.[name] ?? join(await environmentFolder(environments, name), 'bin', 'python');
}

/** What an interpreter belongs to: its folder is two levels up, where it is not a name on the PATH. */
async function prefixOf(python: string): Promise<string> {
  return python.includes('/') ? await realPlace(dirname(dirname(python))) : python;
}

/** A path without links, whether or not its end is there yet. */
async function realPlace(path: string): Promise<string> {
  return await realpath(path).catch(async () => join(await realPlace(dirname(path)), basename(path)));
}
