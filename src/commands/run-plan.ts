import { readFile } from 'node:fs/promises';
import { ZephyrError } from '../errors.ts';
import { differencesFrom, isSavedPlan, readSavedPlan, type SavedPlan } from '../plan/saved-plan.ts';
import { diffRecords } from '../plan/why.ts';
import { loadTarget } from '../recipe/load-target.ts';
import type { Stage } from '../stages/module.ts';
import type { Context, Options } from './context.ts';
import { holdsNoMore, recipeChange } from './stale-plan.ts';
import type { Work } from './work.ts';

/** The plan that a file holds; `undefined` where it is no plan. Throws (usage) for one that is damaged. */
export async function savedPlanIn(file: string, registry: readonly Stage[]): Promise<SavedPlan | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  if (!isSavedPlan(text)) return undefined;
  const plan = readSavedPlan(text, registry);
  if (typeof plan !== 'string') return plan;
  throw new ZephyrError(`Cannot run plan "${file}": ${plan}`, { hint: 'make it again: zephyr plan RECIPE --out FILE' });
}

/** Throws for options that would make another plan of it. */
export function refuseOptions(file: string, saved: SavedPlan, { set = [], hub }: Options): void {
  if (set.length > 0)
    throw new ZephyrError(`Cannot run plan "${file}" with --set: it would be another plan`, {
      hint: 'make one with the same --set: zephyr plan RECIPE --out FILE --set ...',
    });
  if (hub !== undefined && hub !== saved.hub)
    throw new ZephyrError(`Cannot run plan "${file}" on the Hub ${hub}: it was made for ${saved.hub ?? 'the embedded one'}`, {
      exit: 'conflict',
    });
}

/** The work of a plan, which is checked against what is there before anything begins. */
export async function plannedWork(
  context: Context,
  { file, saved }: { readonly file: string; readonly saved: SavedPlan },
  options: Options,
  registry: readonly Stage[],
): Promise<Work> {
  const { recipe, target, goal: stages, stageInputs } = saved;
  const other =
    options.on === undefined
      ? undefined
      : diffRecords(target, await loadTarget(options.on, { root: context.root, stages: registry }));
  const changed = other === undefined ? await recipeChange(context, saved, registry) : `it was made for another target, ${other}`;
  if (changed !== undefined) throw holdsNoMore(file, saved, [changed]);
  return {
    recipe,
    target,
    registry,
    stages,
    stageInputs,
    agreed: true,
    check(plan, decisions) {
      const differences = differencesFrom(saved, plan, { decisions });
      if (differences.length > 0) throw holdsNoMore(file, saved, differences);
    },
  };
}
