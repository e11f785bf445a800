import { formatRef } from '../model/artifact.ts';
import type { Artifact } from '../model/outcome.ts';
import { pinRefs } from '../plan/pin.ts';
import { loadRecipe } from '../recipe/load.ts';
import { loadTarget } from '../recipe/load-target.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Target } from '../recipe/target.ts';
import type { Stage } from '../stages/module.ts';
import type { Context, Options } from './context.ts';
import { readId } from './read-id.ts';

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

/** The artifacts named by the options of a stage's inputs, pinned; by the stage that made them. */
export async function givenInputs(context: Context, { inputs = {} }: Options): Promise<Record<string, Artifact>> {
  const refs: (readonly [string, string])[] = [];
  for (const [name, text] of Object.entries(inputs)) {
    const ref = await readId(context.hub, text);
    refs.push([name, ref === undefined ? text : formatRef(ref)]);
  }
  const pins = await pinRefs(
    refs.map(([, ref]) => ref),
    context.hub,
  );
  return Object.fromEntries(refs.map(([name, ref]) => [name, pins.get(ref) as Artifact]));
}
