import { EXIT, ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { costsTheSame } from '../plan/asked.ts';
import { refuseOtherRuns } from '../plan/same-runs.ts';
import { changeRecipe } from '../recipe/load.ts';
import { loadTarget } from '../recipe/load-target.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { targetSpec } from '../recipe/target.ts';
import { examTable } from '../stages/exam/table.ts';
import { STAGE_NAMES, type StageName } from '../stages/stage.ts';
import { type Options, openContext } from './context.ts';
import { detached } from './detached.ts';
import { findRun } from './find-run.ts';
import { RunWatch } from './look-at-run.ts';
import { report } from './report.ts';
import { lookShower } from './run-history.ts';
import { work } from './work.ts';

/**
 * `zephyr resume ID`: everything it needs is on the run branch; the folder it is called from does not matter. `--set`
 * changes what makes no other run of it: a budget, a price, the server of a teacher.
 */
export async function resume([id]: string[], options: Options): Promise<number> {
  await using context = await openContext(options);
  const { state } = await findRun(context.hub, id as string);
  if (state.phase === 'done' && state.goal.at(-1) === state.stage) {
    const artifact = Object.values(state.steps).at(-1)?.artifact;
    process.stderr.write(`${state.run} is done; nothing to resume\n`);
    if (artifact != null) process.stdout.write(`${formatRef(artifact.ref)}\n`);
    return EXIT.done;
  }
  const stage = state.stage as StageName;
  if (!STAGE_NAMES.includes(stage))
    throw new ZephyrError(`Cannot resume ${id}: stage "${state.stage}" is unknown to this zephyr`, { exit: 'conflict' });
  const target = options.on === undefined ? targetSpec.parse(state.target) : await loadTarget(options.on, context.root);
  const recipe =
    options.set === undefined || options.set.length === 0
      ? (state.recipe as Recipe)
      : await changeRecipe(state.recipe, `the recipe of ${state.run}`, options.set);
  refuseOtherRuns(formatRef({ ...state.repo, revision: state.run }), state.recipe as Recipe, recipe, state.goal as StageName[]);
  const look = await new RunWatch(context, formatRef({ ...state.repo, revision: state.run })).look();
  lookShower(context, options)({ ...look, events: [] });
  return await detached(context, async () => {
    const outcomes = await work(context, options, {
      recipe,
      target,
      goal: state.goal as StageName[],
      stageInputs: state.stageInputs,
      pins: new Map(Object.entries(state.pins)),
      resume: { stage, run: state.run },
      agreed: costsTheSame(recipe, state.recipe as Recipe), // it was agreed to when it began
    });
    const status = report(outcomes, options, { quiet: outcomes.at(-1)?.stage === 'exam' });
    await examTable(context, outcomes, options);
    return status;
  });
}
