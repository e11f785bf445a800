import { loadRecipe } from '../recipe/load.ts';
import { loadTarget } from '../recipe/load-target.ts';
import { type Context, type Options, openContext } from './context.ts';
import { detached } from './detached.ts';
import { report } from './report.ts';
import { plannedWork, refuseOptions, savedPlanIn } from './run-plan.ts';
import { type Work, work } from './work.ts';

/** `zephyr run RECIPE`: dsft, aif, ddpo. `zephyr run PLAN`: what `zephyr plan --out PLAN` looked at, without a question. */
export async function run([given]: string[], options: Options): Promise<number> {
  const file = given as string;
  const saved = await savedPlanIn(file);
  if (saved !== undefined) refuseOptions(file, saved, options);
  await using context = await openContext(saved?.hub == null ? options : { ...options, hub: saved.hub });
  const asked = saved === undefined ? await recipeWork(context, file, options) : await plannedWork(context, file, options, saved);
  return await detached(context, async () => report(await work(context, options, asked), options));
}

async function recipeWork(context: Context, file: string, options: Options): Promise<Work> {
  const recipe = await loadRecipe(file, { set: options.set ?? [], env: context.env, root: context.root });
  const target = await loadTarget(options.on ?? 'process', context.root);
  return { recipe, target, goal: ['dsft', 'aif', 'ddpo'], stageInputs: {} };
}
