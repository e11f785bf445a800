import { ZephyrError } from '../errors.ts';
import { wantedKeys } from '../plan/asked.ts';
import type { Decision } from '../plan/explain.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { findSecret } from './secrets.ts';

/** A key that the steps to run will want: whether it is there, not whether it is valid. */
export interface Key {
  /** of the environment variable */
  readonly name: string;
  /** where the recipe names it: `judge`, `judge.failover.0` */
  readonly teachers: readonly string[];
  readonly from: 'environment' | 'file' | null;
  /** why it is missing */
  readonly why?: string;
}

export function keysOf(decisions: readonly Decision[], { teachers }: Recipe, env: Readonly<Record<string, string>>): Key[] {
  return [...wantedKeys(decisions, teachers)].map(([name, whose]) => {
    const found = findSecret(env, name);
    return { name, teachers: whose, ...(found.value === undefined ? { from: null, why: found.why } : { from: found.from }) };
  });
}

/** Throws a `ZephyrError` (preflight) that names every key that is missing, and whose it is. */
export function requireKeys(keys: readonly Key[]): void {
  const missing = keys.filter(({ from }) => from === null);
  if (missing.length === 0) return;
  const lines = missing.map(
    ({ name, teachers, why }) => `Cannot ask ${inWords(teachers)}: no key, expected one in ${name}; ${why}`,
  );
  throw new ZephyrError(lines.join('\n'), {
    exit: 'preflight',
    hint: `nothing was started; ${missing.map(({ name }) => `set ${name} in the environment, or ${name}_PATH to a file that holds it`).join('; ')}`,
  });
}

export function printKeys(keys: readonly Key[]): void {
  if (keys.length === 0) return;
  process.stdout.write('\nKeys that will be wanted:\n');
  for (const { name, teachers, from, why } of keys)
    process.stdout.write(`  ${name}: ${from === null ? `missing, ${why}` : `there (${from})`}; for ${inWords(teachers)}\n`);
}

function inWords(teachers: readonly string[]): string {
  const names = teachers.map((id) => `"${id}"`);
  return names.length === 1 ? `teacher ${names[0]}` : `teachers ${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
