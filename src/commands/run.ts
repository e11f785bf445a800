import { loadRecipe } from '../recipe/load.ts';
import { loadTarget } from '../recipe/load-target.ts';
import { type Options, openContext } from './context.ts';
import { detached } from './detached.ts';
import { report } from './report.ts';
import { work } from './work.ts';

/** `zephyr run RECIPE`: dsft, aif, ddpo. */
export async function run([file]: string[], options: Options): Promise<number> {
  await using context = await openContext(options);
  const recipe = await loadRecipe(file as string, { set: options.set ?? [], env: context.env, root: context.root });
  const target = await loadTarget(options.on ?? 'process', context.root);
  return await detached(context, async () =>
    report(await work(context, options, { recipe, target, goal: ['dsft', 'aif', 'ddpo'], stageInputs: {} }), options),
  );
}
