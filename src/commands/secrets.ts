import { readFileSync } from 'node:fs';
import { ZephyrError } from '../errors.ts';

/** The secrets that this process has read: no renderer lets their values through. It grows as teachers are opened. */
export const knownSecrets: Set<string> = new Set();

/** Where a secret was found; or, in a few words, why it was not. */
export type FoundSecret =
  | { readonly value: string; readonly from: 'environment' | 'file' }
  | { readonly value: undefined; readonly why: string };

type Env = Readonly<Record<string, string>>;

/** Looks for a secret: the variable itself, or the file that NAME_PATH names. */
export function findSecret(env: Env, name: string): FoundSecret {
  const own = env[name]?.trim() ?? '';
  const file = env[`${name}_PATH`] ?? '';
  if (own !== '') return checked(own, 'environment', name);
  if (file !== '') return fromFile(file, `${name}_PATH`);
  const isEmpty = env[name] !== undefined;
  return { value: undefined, why: isEmpty ? `${name} is set to nothing` : `neither ${name} nor ${name}_PATH is set` };
}

/** The value of a secret, `undefined` where none is set. Throws a `ZephyrError` (preflight) for one that cannot be used. */
export function secretOf(env: Env, name: string): string | undefined {
  const found = findSecret(env, name);
  if (found.value !== undefined) return found.value;
  if ((env[name]?.trim() ?? '') === '' && (env[`${name}_PATH`] ?? '') === '') return undefined;
  throw new ZephyrError(`Cannot read the secret ${name}: ${found.why}`, { exit: 'preflight' });
}

function fromFile(file: string, variable: string): FoundSecret {
  const names = `${variable} names "${file}", which`;
  let value: string;
  try {
    value = readFileSync(file, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'does not exist' : code === 'EISDIR' ? 'is a folder' : `is not readable (${code})`;
    return { value: undefined, why: `${names} ${why}` };
  }
  return value === '' ? { value: undefined, why: `${names} is empty` } : checked(value, 'file', `the file of ${variable}`);
}

/** What no HTTP header takes is no key: it would be refused in words that show it. */
function checked(value: string, from: 'environment' | 'file', where: string): FoundSecret {
  knownSecrets.add(value);
  if (/^[\x21-\x7e]+$/.test(value)) return { value, from };
  for (const line of value.split(/\s+/)) knownSecrets.add(line);
  return { value: undefined, why: `${where} holds a blank, a line break or a letter that no key has` };
}
