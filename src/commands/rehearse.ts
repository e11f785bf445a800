import { loadRecipe } from '../recipe/load.ts';
import { loadTarget } from '../recipe/load-target.ts';
import { type RehearsalProvider, toRehearsal, toRehearsalTarget } from '../recipe/rehearse.ts';
import { examTable } from '../stages/exam/table.ts';
import { type Options, openContext } from './context.ts';
import { detached } from './detached.ts';
import { report } from './report.ts';
import { work } from './work.ts';

/** `zephyr rehearse RECIPE`: the same recipe, the same code, tiny weights, the practice teacher, the embedded Hub. */
export async function rehearse([file]: string[], options: Options & { readonly provider?: RehearsalProvider }): Promise<number> {
  await using context = await openContext(options);
  const recipe = await loadRecipe(file as string, { set: options.set ?? [], env: context.env, root: context.root });
  const rehearsal = toRehearsal(recipe, options.provider);
  const target = toRehearsalTarget(await loadTarget(options.on ?? 'process', context.root), rehearsal.recipe);
  return await detached(context, async () => {
    const outcomes = await work(context, options, {
      recipe: rehearsal.recipe,
      target,
      goal: ['setup', 'dsft', 'aif', 'ddpo', 'exam'],
      stageInputs: {},
    });
    const status = report(outcomes, options, { quiet: true });
    await examTable(context, outcomes, options);
    return status;
  });
}
