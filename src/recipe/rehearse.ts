import { ZephyrError } from '../errors.ts';
import type { Stage } from '../stages/module.ts';
import type { NotRehearsed, RehearsalPlace, RehearsalProvider } from '../stages/rehearsal.ts';
import type { Step } from '../stages/stage.ts';
import { teacherSpec } from '../teachers/spec.ts';
import type { Recipe } from './recipe.ts';
import type { Target } from './target.ts';

/** One value that a rehearsal changes, for the plan to print. `undefined`: that side has nothing there. */
export interface RehearsalDifference {
  readonly path: string;
  readonly recipe: unknown;
  readonly rehearsal: unknown;
  readonly why: string;
}

export interface RehearsedRecipe<Own> {
  readonly recipe: Own;
  /** all that it changes */
  readonly differences: readonly RehearsalDifference[];
  /** what its stages go without where it runs */
  readonly leftOut: readonly (NotRehearsed & { readonly stage: string })[];
}

/**
 * The same recipe at toy size: a tiny base model of the same architecture, practice data and practice teachers in place of the
 * Hub's and the paid ones, each section as its stage rehearses it. Without `canHave` any Python environment can be had.
 */
export function toRehearsal<Own extends Recipe>(
  recipe: Own,
  stages: readonly Stage[],
  { provider = 'openai', canHave = () => true }: Partial<RehearsalPlace> = {},
): RehearsedRecipe<Own> {
  const rehearsed = stages.flatMap((stage) => {
    const isThere = stage.rehearsalOnly === true || stage.rehearsal?.always === true || recipe[stage.name] !== undefined;
    if (isThere && stage.rehearsal === undefined) refuseTeachers(stage, recipe);
    const toy = isThere ? stage.rehearsal?.rehearse(recipe, { provider, canHave }) : undefined;
    return toy === undefined ? [] : [{ name: stage.name, ...toy }];
  });
  const rehearsal: Own = {
    ...recipe,
    name: `${recipe.name}-rehearsal`,
    base: rehearsed.find(({ base }) => base !== undefined)?.base ?? recipe.base,
    teachers: practiceTeachers(
      rehearsed.flatMap(({ teachers = [] }) => teachers),
      provider,
    ),
    ...Object.fromEntries(rehearsed.map(({ name, section }) => [name, section])),
  };
  const leftOut = rehearsed.flatMap(({ name, leftOut: own = [] }) => own.map((each) => ({ stage: name, ...each })));
  return { recipe: rehearsal, differences: differences(recipe, rehearsal, stages), leftOut };
}

/** A rehearsal has none of the recipe's teachers: a stage that asks teachers must say which practice models stand for them. */
function refuseTeachers({ name, steps }: Stage, recipe: Recipe): void {
  const asking = steps(recipe).find(({ calls = [], spare = [] }) => calls.length + spare.length > 0);
  if (asking === undefined) return;
  throw new ZephyrError(
    `Cannot rehearse stage "${name}": its step "${asking.name}" asks teachers, and the stage names no practice models for them`,
    { hint: `rehearse without it: --set ${name}=null` },
  );
}

/**
 * Toy batches fit at once: one rank and one micro batch a step, in place of what the target has for real models. One thread,
 * because threads that wait for one another cost a tiny model more than they save: sevenfold on a busy machine.
 */
export function toRehearsalTarget(target: Target, steps: readonly Step[]): Target {
  const trainings = steps.flatMap(({ work }) => (work.kind === 'job' && work.training !== undefined ? [work.training] : []));
  const microBatch = Object.fromEntries(trainings.map(({ microBatch: key, globalBatch }) => [key, globalBatch]));
  const own = {
    device: 'cpu',
    nodes: 1,
    processes: 1,
    threads: 1,
    sharding: 'none',
    offload: false,
    microBatch: { ...target.hardware.microBatch, ...microBatch },
  } as const;
  return { ...target, hardware: { ...target.hardware, ...own } };
}

function practiceTeachers(models: readonly string[], provider: RehearsalProvider): Recipe['teachers'] {
  const via = provider === 'batch' || provider === 'artifact' ? 'openai' : provider;
  const batch = provider === 'batch' ? { batch: { pollSeconds: 0.2 } } : {};
  return Object.fromEntries(
    models.map((model) => [
      model,
      teacherSpec.parse({ provider: 'practice', model, concurrency: 16, store: true, via, ...batch }),
    ]),
  );
}

/** Why the parts of a recipe that all stages share are changed, by path. */
const REASONS: Readonly<Record<string, string>> = {
  name: 'toy artifacts must never be taken for real ones',
  base: 'a tiny model of the same architecture with random weights',
  teachers: 'the practice teacher answers and judges, nothing is paid',
};

/** Every value in which the two recipes differ. */
function differences(recipe: Recipe, rehearsal: Recipe, stages: readonly Stage[]): RehearsalDifference[] {
  const reasons = new Map([
    ...Object.entries(REASONS),
    ...stages.flatMap(({ name, rehearsal: own }) => below(name, own?.reasons ?? {})),
  ]);
  const inWords = new Map(stages.flatMap(({ name, rehearsal: own }) => below(name, own?.inWords ?? {})));
  const told = (path: string, value: unknown, { teachers, ...sections }: Recipe): unknown => {
    if (path === 'teachers') return [...new Set(Object.values(teachers).map(({ model }) => model))].join(', ') || 'none';
    const section = sections[path.split('.')[0] as string];
    const words = inWords.get(path);
    return words === undefined ? value : section && words(section as never);
  };
  const different = (path: string, old: unknown, now: unknown): RehearsalDifference[] => {
    if (JSON.stringify(old) === JSON.stringify(now)) return [];
    if (path !== 'teachers' && !inWords.has(path) && isMapping(old) && isMapping(now)) {
      const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])];
      return keys.flatMap((key) => different(path === '' ? key : `${path}.${key}`, old[key], now[key]));
    }
    const why = reasonFor(path, reasons);
    return [{ path, recipe: told(path, old, recipe), rehearsal: told(path, now, rehearsal), why }];
  };
  return different('', recipe, rehearsal);
}

/** The entries with their paths below a stage's name. */
function below<Value>(name: string, entries: Readonly<Record<string, Value>>): [string, Value][] {
  return Object.entries(entries).map(([path, value]) => [path === '' ? name : `${name}.${path}`, value]);
}

/** That of the longest path that fits. */
function reasonFor(path: string, reasons: ReadonlyMap<string, string>): string {
  for (let prefix = path; prefix !== ''; prefix = prefix.slice(0, Math.max(0, prefix.lastIndexOf('.')))) {
    const found = reasons.get(prefix);
    if (found !== undefined) return found;
  }
  throw new Error(`Cannot say why a rehearsal changes "${path}"`);
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
