import { parseDocument } from 'yaml';
import type * as z from 'zod';
import { ZephyrError } from '../errors.ts';
import type { Path } from '../stages/mistake.ts';
import { showAssignment, showValue } from './hide-secrets.ts';
import { isRemovable } from './known-keys.ts';
import { LOOSE_ALIAS, looseAlias } from './yaml-file.ts';

/** One value that does not stand in the file. */
export interface Override {
  /** as the user wrote it, for messages: `--set seed=1`, `ZEPHYR_NAMESPACE=me` */
  readonly origin: string;
  readonly path: Path;
  readonly value: unknown;
}

/** The environment variables that change a recipe. ZEPHYR_SET holds assignments as of --set, separated by `;`. */
const VARIABLES: Readonly<Record<string, string>> = { ZEPHYR_NAMESPACE: 'namespace', ZEPHYR_SEED: 'seed' };

export const RECIPE_VARIABLES: readonly string[] = [...Object.keys(VARIABLES), 'ZEPHYR_SET'];

/** In the order in which they apply: the environment, then --set. */
export function readOverrides(set: readonly string[], env: Readonly<Record<string, string>>): Override[] {
  const named = Object.entries(VARIABLES).flatMap(([variable, path]) => {
    const value = env[variable];
    return value === undefined ? [] : [assignment(`${path}=${value}`, `${variable}=${value}`)];
  });
  const listed = (env.ZEPHYR_SET ?? '')
    .split(';')
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => assignment(text, `ZEPHYR_SET ${showAssignment(text)}`));
  return [...named, ...listed, ...set.map((text) => assignment(text, `--set ${showAssignment(text)}`))];
}

function assignment(text: string, origin: string): Override {
  const equals = text.indexOf('=');
  const path = text.slice(0, equals).trim();
  if (equals < 0 || !/^[^.\s]+(\.[^.\s]+)*$/.test(path)) {
    throw new ZephyrError(`Cannot read ${origin}: expected PATH=VALUE`, { hint: 'for example: --set seed=1' });
  }
  if (text.slice(equals + 1).trim() === '')
    throw new ZephyrError(`Cannot read ${origin}: expected a value after "="`, {
      hint: 'null takes a value away, "" is the empty text',
    });
  const document = parseDocument(text.slice(equals + 1), { version: '1.2', prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined)
    throw new ZephyrError(`Cannot read ${origin}: ${showAssignment(text) === text ? error.message : 'it is no YAML'}`, {
      hint: 'quote the value as in YAML',
    });
  if (looseAlias(document) !== undefined) throw new ZephyrError(`Cannot read ${origin}: ${LOOSE_ALIAS}`);
  return { origin, path: path.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part)), value: document.toJS() };
}

/**
 * The data with the overrides in it; the data itself is left alone. Null takes a value away, so that its default holds,
 * but where `schema` has null as a value of its own. Throws a `ZephyrError` for a path through a plain value.
 */
export function applyOverrides(data: unknown, overrides: readonly Override[], schema: z.core.$ZodType): unknown {
  return overrides.reduce((result, { path, value, origin }) => {
    if (value === null && isRemovable(schema, path, result)) return without(result, path);
    return withValue(result, path, value, origin);
  }, data);
}

function without(data: unknown, [name, ...rest]: Path): unknown {
  if (name === undefined || data === null || typeof data !== 'object' || !Object.hasOwn(data, name)) return data;
  const { [name]: old, ...others } = data as Record<PropertyKey, unknown>;
  if (rest.length === 0) return others;
  const changed = without(old, rest);
  return Array.isArray(data) ? Object.assign([...data], { [name]: changed }) : { ...data, [name]: changed };
}

function withValue(data: unknown, [name, ...rest]: Path, value: unknown, origin: string): unknown {
  if (name === undefined) return value;
  if (Array.isArray(data)) {
    if (typeof name !== 'number' || name > data.length) {
      throw new ZephyrError(
        `Cannot apply ${origin}: "${String(name)}" is no place in a list of ${data.length}, expected 0 to ${data.length}`,
      );
    }
    return Object.assign([...data], { [name]: withValue(data[name], rest, value, origin) });
  }
  if (data === undefined || data === null) return { [name]: withValue(undefined, rest, value, origin) };
  if (typeof data !== 'object') {
    throw new ZephyrError(
      `Cannot apply ${origin}: "${String(name)}" lies below ${/keyFrom/i.test(origin) ? 'a value that is not shown' : showValue(data)}, expected a mapping or a list there`,
    );
  }
  return { ...data, [name]: withValue((data as Record<PropertyKey, unknown>)[name], rest, value, origin) };
}
