import { ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { changeRecipe, loadRecipe } from '../recipe/load.ts';
import { loadTarget } from '../recipe/load-target.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { type Target, targetSpec } from '../recipe/target.ts';
import type { Stage } from '../stages/module.ts';
import type { Context, Options } from './context.ts';
import { modelOf, runThatMade } from './model-id.ts';

/** A model to be measured, as the user names it. */
export interface AskedModel {
  /** the stage that measures */
  readonly stage: string;
  readonly id: string;
  /** a recipe, which a model that no run of zephyr made needs */
  readonly file: string | undefined;
}

/**
 * The recipe and the target for measuring a model. Both are those of the run that made it, whatever folder this is: how it
 * was trained says how it is asked. A recipe that is named gives all else: teachers, settings, the namespace.
 */
export async function finishedModel(
  context: Context,
  { stage, id, file }: AskedModel,
  { set = [], on, suite }: Options & { readonly suite?: string },
  registry: readonly Stage[],
): Promise<{ readonly recipe: Recipe; readonly target: Target }> {
  const { hub, env, root } = context;
  const model = await modelOf(context, id, 'evaluate');
  const ref = formatRef(model.ref);
  const run = await runThatMade(hub, model);
  // a suite that is asked for is meant as a whole, whatever parts of one the recipe names
  const asked = [`${stage}.model=${ref}`, ...(suite === undefined ? [] : [`${stage}.suite=${suite}`, `${stage}.parts=null`])];
  const trained = run === undefined ? [] : renderingOf(run.recipe as Recipe);
  const over = { stages: registry, set: [...trained, ...asked, ...set] };
  if (file === undefined && run === undefined)
    throw new ZephyrError(`Cannot evaluate "${id}": no run on ${hub.name} made it, so nothing says how it is asked`, {
      hint: `name a recipe with its template, system turn and begin token: zephyr ${stage} ID RECIPE`,
    });
  const recipe =
    file === undefined
      ? await changeRecipe(run?.recipe, `the recipe of ${run?.run}`, over)
      : await loadRecipe(file, { ...over, env, root });
  const isOwn = on === undefined && run !== undefined;
  const target = isOwn ? targetSpec(registry).parse(run.target) : await loadTarget(on ?? 'process', { root, stages: registry });
  return { recipe, target };
}

/** What a model was trained with decides what it is asked with. */
function renderingOf({ template, system, bos }: Recipe): string[] {
  return [`template=${template}`, `system=${system}`, `bos=${bos}`];
}
