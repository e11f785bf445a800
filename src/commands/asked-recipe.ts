import { loadRecipe } from '../recipe/load.ts';
import { loadTarget } from '../recipe/load-target.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Target } from '../recipe/target.ts';
import type { Stage } from '../stages/module.ts';
import type { Context, Options } from './context.ts';

/** The recipe that a user names, with what is set over it, and the target that it is to run on. */
export async function askedRecipe(
  { env, root }: Context,
  file: string,
  { set = [], on = 'process' }: Options,
  registry: readonly Stage[],
): Promise<{ readonly recipe: Recipe; readonly target: Target }> {
  const recipe = await loadRecipe(file, { stages: registry, set, env, root });
  return { recipe, target: await loadTarget(on, { root, stages: registry }) };
}
