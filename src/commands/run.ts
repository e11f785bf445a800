import { stagesIn } from '../plan/plan.ts';
import { loadStages, type Stage, type StageModule } from '../stages/module.ts';
import { askedRecipe } from './asked-recipe.ts';
import { type Context, type Options, openContext } from './context.ts';
import { detached } from './detached.ts';
import { plannedWork, refuseOptions, savedPlanIn } from './run-plan.ts';
import { type Work, work } from './work.ts';

/** `zephyr run RECIPE`: every stage of it. `zephyr run PLAN`: what `zephyr plan --out PLAN` looked at, without a question. */
export async function run([given]: string[], options: Options, modules: readonly StageModule[]): Promise<number> {
  const file = given as string;
  const registry = await loadStages(modules);
  const saved = await savedPlanIn(file, registry);
  if (saved !== undefined) refuseOptions(file, saved, options);
  await using context = await openContext(saved?.hub == null ? options : { ...options, hub: saved.hub });
  const asked =
    saved === undefined
      ? await recipeWork(context, file, options, registry)
      : await plannedWork(context, { file, saved }, options, registry);
  return await detached(context, async () => await work(context, options, asked));
}

async function recipeWork(context: Context, file: string, options: Options, registry: readonly Stage[]): Promise<Work> {
  const asked = await askedRecipe(context, file, options, registry);
  return { ...asked, registry, stages: stagesIn(asked.recipe, registry), stageInputs: {} };
}
