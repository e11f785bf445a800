import { readFileSync } from 'node:fs';
import { ZephyrError } from '../errors.ts';

/** The secrets that this process has read: no renderer lets their values through. It grows as teachers are opened. */
export const knownSecrets: Set<string> = new Set();

/** The value of a secret: the variable itself, or the file that NAME_PATH names. */
export function secretOf(env: Readonly<Record<string, string>>, name: string): string | undefined {
  const value = env[name] ?? fileOf(env, name);
  if (value !== undefined) knownSecrets.add(value);
  return value;
}

function fileOf(env: Readonly<Record<string, string>>, name: string): string | undefined {
  const file = env[`${name}_PATH`];
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new ZephyrError(`Cannot read the secret ${name}: ${name}_PATH names "${file}", which is not readable`, {
      exit: 'preflight',
      cause: error,
    });
  }
}
