import { ZephyrError } from '../errors.ts';
import { loadRecipe } from '../recipe/load.ts';
import { loadTarget } from '../recipe/load-target.ts';
import { type Options, openContext } from './context.ts';
import { detached } from './detached.ts';
import { givenInputs } from './given-inputs.ts';
import { report } from './report.ts';
import { resume } from './resume.ts';
import { work } from './work.ts';

/** `zephyr dsft | aif | ddpo RECIPE`: one stage, its inputs given as artifact IDs. */
export const stage =
  (name: 'dsft' | 'aif' | 'ddpo') =>
  async ([file]: string[], options: Options): Promise<number> => {
    if (options.resume !== undefined) {
      if (file === undefined) return await resume([options.resume], options);
      throw new ZephyrError(`Cannot resume ${options.resume} with the recipe "${file}": a run keeps its own`, {
        hint: `zephyr resume ${options.resume}`,
      });
    }
    if (file === undefined)
      throw new ZephyrError(`Cannot run ${name}: no recipe, expected a file`, { hint: `zephyr ${name} configs/zephyr-7b.yaml` });
    await using context = await openContext(options);
    const recipe = await loadRecipe(file, { set: options.set ?? [], env: context.env, root: context.root });
    const target = await loadTarget(options.on ?? 'process', context.root);
    const stageInputs = await givenInputs(context, options);
    return await detached(context, async () =>
      report(await work(context, options, { recipe, target, goal: [name], stageInputs }), options),
    );
  };
