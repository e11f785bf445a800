import { ZephyrError } from '../errors.ts';
import { loadStages, type StageModule } from '../stages/module.ts';
import { askedRecipe, givenInputs } from './asked-recipe.ts';
import { type Options, openContext } from './context.ts';
import { detached } from './detached.ts';
import { resume } from './resume.ts';
import { work } from './work.ts';

/** `zephyr STAGE RECIPE`: one stage, its inputs given as artifact IDs. */
export const stage =
  (name: string) =>
  async ([file]: string[], options: Options, modules: readonly StageModule[]): Promise<number> => {
    if (options.resume !== undefined) {
      if (file === undefined) return await resume([options.resume], options, modules);
      throw new ZephyrError(`Cannot resume ${options.resume} with the recipe "${file}": a run keeps its own`, {
        hint: `zephyr resume ${options.resume}`,
      });
    }
    if (file === undefined)
      throw new ZephyrError(`Cannot run ${name}: no recipe, expected a file`, { hint: `zephyr ${name} configs/zephyr-7b.yaml` });
    const registry = await loadStages(modules);
    await using context = await openContext(options);
    const asked = await askedRecipe(context, file, options, registry);
    const stageInputs = await givenInputs(context, options);
    return await detached(context, async () => await work(context, options, { ...asked, registry, stages: [name], stageInputs }));
  };
