import { EXIT } from '../errors.ts';
import { stagesIn, stepsOf } from '../plan/plan.ts';
import { toRehearsalTarget } from '../recipe/rehearse.ts';
import { loadStages, type StageModule } from '../stages/module.ts';
import type { RehearsalProvider } from '../stages/rehearsal.ts';
import { askedRecipe } from './asked-recipe.ts';
import { type Options, openContext } from './context.ts';
import { detached } from './detached.ts';
import { rehearsable } from './rehearsable.ts';
import { tellNext } from './tell-next.ts';
import { work } from './work.ts';

/** `zephyr rehearse RECIPE`: the same recipe, the same code, tiny weights, the practice teacher, the embedded Hub. */
export async function rehearse(
  [file]: string[],
  options: Options & { readonly provider?: RehearsalProvider },
  modules: readonly StageModule[],
): Promise<number> {
  const registry = await loadStages(modules);
  await using context = await openContext(options);
  const asked = await askedRecipe(context, file as string, options, registry);
  return await detached(context, async () => {
    const recipe = await rehearsable(context, { ...asked, provider: options.provider }, registry);
    const stages = stagesIn(recipe, registry);
    const steps = stepsOf(recipe, registry, stages);
    const target = toRehearsalTarget(asked.target, steps);
    const done = await work(context, options, { recipe, target, registry, stages, stageInputs: {} });
    if (done === EXIT.done && options.json !== true) tellNext(file as string, steps, registry);
    return done;
  });
}
