import { ZephyrError } from '../errors.ts';
import type { Ingredients } from '../model/fingerprint.ts';
import type { Step } from '../stages/stage.ts';

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

/** The first difference of two records of plain data, as one line `path: OLD -> NEW`. */
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

/**
 * Throws when a changed recipe would make other runs than the one to be resumed and those that follow it: when it plans
 * other steps, other settings, other inputs or other repos. All else may change, such as a budget, a price or a server.
 */
export function refuseOtherRuns(id: string, before: readonly Step[], after: readonly Step[]): void {
  const difference = diffRecords(identityOf(before), identityOf(after));
  if (difference === undefined) return;
  throw new ZephyrError(`Cannot resume ${id} with a changed recipe: ${difference} makes it another run`, {
    exit: 'conflict',
    hint: 'what changes no result may be changed, such as a budget, a price or a server; for all else run the changed recipe anew, which uses again what is made and paid',
  });
}

/** What the steps of a recipe are and where they go, by their names. */
function identityOf(steps: readonly Step[]): unknown {
  return Object.fromEntries(
    steps.map(({ stage, name, output, inputs, config, files, work }) => {
      const does =
        work.kind === 'job' ? { program: work.program, globalBatch: work.training?.globalBatch ?? null } : { task: work.task };
      return [`${stage}/${name}`, { output, inputs, config, files, work: does }];
    }),
  );
}
