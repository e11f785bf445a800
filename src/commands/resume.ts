import { EXIT, ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { costsTheSame } from '../plan/asked.ts';
import { stepsOf } from '../plan/plan.ts';
import { refuseOtherRuns } from '../plan/why.ts';
import { changeRecipe } from '../recipe/load.ts';
import { loadTarget } from '../recipe/load-target.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { targetSpec } from '../recipe/target.ts';
import { loadStages, type StageModule } from '../stages/module.ts';
import { type Options, openContext } from './context.ts';
import { detached } from './detached.ts';
import { findRun } from './find-run.ts';
import { RunWatch } from './look-at-run.ts';
import { showPastOnceOwned } from './run-history.ts';
import { thisDriver } from './this-driver.ts';
import { work } from './work.ts';

/**
 * `zephyr resume ID`: everything it needs is on the run branch; the folder it is called from does not matter. `--set`
 * changes what makes no other run of it: a budget, a price, the server of a teacher.
 */
export async function resume([id]: string[], options: Options, modules: readonly StageModule[]): Promise<number> {
  const registry = await loadStages(modules);
  await using context = await openContext(options);
  const { state } = await findRun(context.hub, id as string);
  const { stage, goal: stages } = state;
  if (state.phase === 'done' && stages.at(-1) === stage) {
    const artifact = Object.values(state.steps).at(-1)?.artifact;
    process.stderr.write(`${state.run} is done; nothing to resume\n`);
    if (artifact != null) process.stdout.write(`${formatRef(artifact.ref)}\n`);
    return EXIT.done;
  }
  if (!registry.some(({ name }) => name === stage))
    throw new ZephyrError(`Cannot resume ${id}: stage "${stage}" is unknown to this zephyr`, { exit: 'conflict' });
  const target =
    options.on === undefined
      ? targetSpec(registry).parse(state.target)
      : await loadTarget(options.on, { root: context.root, stages: registry });
  const before = state.recipe as Recipe;
  const { set = [] } = options;
  const recipe = set.length === 0 ? before : await changeRecipe(before, `the recipe of ${state.run}`, { stages: registry, set });
  const steps = (of: Recipe) => stepsOf(of, registry, stages);
  const ref = formatRef({ ...state.repo, revision: state.run });
  refuseOtherRuns(ref, steps(before), steps(recipe));
  showPastOnceOwned(context, await new RunWatch(context, ref).look());
  const asked = { recipe, target, registry, stages, stageInputs: state.stageInputs, resume: { stage, run: state.run } };
  const pins = new Map(Object.entries(state.pins));
  const agreed = costsTheSame(recipe, before, registry); // it was agreed to when it began
  const driver = await thisDriver(context, target, state);
  return await detached(context, () => work(context, options, { ...asked, pins, agreed, ...(driver && { driver }) }));
}
