import { TRAIN } from '../backends/environments.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { toRehearsal } from '../recipe/rehearse.ts';
import type { Target } from '../recipe/target.ts';
import type { Stage } from '../stages/module.ts';
import type { RehearsalProvider } from '../stages/rehearsal.ts';
import type { Context } from './context.ts';
import { lackingEnvironments } from './lacking-environments.ts';

interface ToRehearse {
  readonly recipe: Recipe;
  readonly target: Target;
  readonly provider: RehearsalProvider | undefined;
}

/**
 * The recipe at toy size, as far as there are the Python environments for it. Those that a stage can go without are made first:
 * what is left out must be known before anything runs, and is the same for who takes up the run.
 */
export async function rehearsable(
  context: Context,
  { recipe, target, provider }: ToRehearse,
  registry: readonly Stage[],
): Promise<Recipe> {
  const place = provider === undefined ? {} : { provider };
  const least = toRehearsal(recipe, registry, { ...place, canHave: (name) => name === TRAIN });
  const lacking = await lackingEnvironments(
    context,
    target,
    least.leftOut.map(({ environment }) => environment),
  );
  const found = toRehearsal(recipe, registry, { ...place, canHave: (name) => !lacking.has(name) });
  for (const { stage, what, environment } of found.leftOut)
    context.emit({ type: 'environment', environment, message: `${lacking.get(environment)}, ${stage} goes without ${what}` });
  return found.recipe;
}
