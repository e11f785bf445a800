import { canHave } from '../backends/registry.ts';
import { ZephyrError } from '../errors.ts';
import { parseRef } from '../model/artifact.ts';
import { stagesIn } from '../plan/plan.ts';
import { toRehearsal } from '../recipe/rehearse.ts';
import type { Stage } from '../stages/module.ts';
import { askedRecipe } from './asked-recipe.ts';
import type { Context } from './context.ts';
import { type AskedPlan, type PlanOptions, planModel } from './plan-model.ts';

/** What is to be planned: a recipe, its rehearsal, or with `--suite` the measuring of a finished model. */
export async function askedPlan(
  context: Context,
  [given = '', file]: readonly string[],
  options: PlanOptions,
  registry: readonly Stage[],
): Promise<AskedPlan> {
  if (options.suite !== undefined) return await planModel(context, [given, file], options, registry);
  refuseIds(given, file);
  const { recipe: loaded, target } = await askedRecipe(context, given, { ...options, on: options.on ?? 'process' }, registry);
  const rehearsal =
    options.rehearsal === true ? toRehearsal(loaded, registry, { canHave: (name) => canHave(target, name) }) : undefined;
  const { recipe, differences } = rehearsal ?? { recipe: loaded, differences: undefined };
  return { recipe, target, stages: options.stage === undefined ? stagesIn(recipe, registry) : [options.stage], differences };
}

/** Only with `--suite` is it about an ID, or an ID and a recipe. */
function refuseIds(given: string, file: string | undefined): void {
  const hint = 'what evaluating a model takes: zephyr plan ID --suite NAME';
  if (parseRef(given) !== undefined)
    throw new ZephyrError(`Cannot plan "${given}": it is the ID of an artifact, expected a recipe`, { hint });
  if (file !== undefined) throw new ZephyrError(`Cannot plan both "${given}" and "${file}": expected one recipe`, { hint });
}
