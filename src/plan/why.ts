import type { Ingredients } from '../model/fingerprint.ts';

/** The first place where two records differ. `undefined` as a value: that side has nothing there. */
export interface Difference {
  /** `config.train.learning_rate`, `inputs.base` */
  readonly path: string;
  readonly old: unknown;
  readonly new: unknown;
}

/** In the order in which a reader wants to know: the settings that he wrote first, the machinery last. */
const ORDER = ['version', 'stage', 'step', 'config', 'inputs', 'files', 'environment'];

/** Why a step is not what was published before: its first differing ingredient, deep into the settings. */
export function diffIngredients(old: unknown, now: Ingredients): Difference | undefined {
  return firstDifference(old, now, '', ORDER);
}

/** Of any two records of plain data, as one line `path: OLD -> NEW`. */
export function diffRecords(old: unknown, now: unknown): string | undefined {
  const difference = firstDifference(old, now, '', []);
  return difference === undefined ? undefined : formatDifference(difference);
}

export function formatDifference({ path, old, new: now }: Difference): string {
  return `${path}: ${short(old)} -> ${short(now)}`;
}

function firstDifference(old: unknown, now: unknown, path: string, order: readonly string[]): Difference | undefined {
  if (!isContainer(old) || !isContainer(now) || Array.isArray(old) !== Array.isArray(now)) {
    return Object.is(old, now) ? undefined : { path, old, new: now };
  }
  const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort(
    (a, b) => rank(a, order) - rank(b, order) || Number(a) - Number(b) || (a < b ? -1 : 1),
  );
  for (const key of keys) {
    const difference = firstDifference(old[key], now[key], path === '' ? key : `${path}.${key}`, []);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function rank(key: string, order: readonly string[]): number {
  const index = order.indexOf(key);
  return index < 0 ? order.length : index;
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function short(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
