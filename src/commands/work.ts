import { executePlan, type StageOutcome } from '../engine/execute.ts';
import { checkBatches } from '../engine/hardware.ts';
import type { Artifact } from '../model/outcome.ts';
import { outputsOf, refuseOthersFiles } from '../plan/outputs.ts';
import { environmentNames, hubRefs, planRecipe } from '../plan/plan.ts';
import { readStepFiles } from '../plan/read-files.ts';
import { checkStageInputs } from '../plan/stage-inputs.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Target } from '../recipe/target.ts';
import type { StageName } from '../stages/stage.ts';
import { beforeWork, type Terms } from './before-work.ts';
import { type Context, type Options, openEngine } from './context.ts';
import { environmentDigests, environmentsToRun, readyEnvironments } from './environment.ts';
import { pinsOrPull } from './missing-inputs.ts';

export interface Work extends Partial<Terms> {
  readonly recipe: Recipe;
  readonly target: Target;
  readonly goal: readonly StageName[];
  readonly stageInputs: Partial<Record<StageName, Artifact>>;
  /** A resumed run brings its own pins; otherwise they are taken now. */
  readonly pins?: ReadonlyMap<string, Artifact>;
  readonly resume?: { readonly stage: StageName; readonly run: string };
}

/** The spine of every verb that runs stages: pin, plan, execute. */
export async function work(context: Context, options: Options, asked: Work): Promise<readonly StageOutcome[]> {
  const { recipe, target, goal, stageInputs } = asked;
  const engine = await openEngine(context, recipe, target, options);
  const [environments, fileDigests, pins] = await Promise.all([
    environmentDigests(environmentNames(recipe, goal), engine.backend.scheduler),
    readStepFiles(engine.codeFolder),
    asked.pins ?? pinsOrPull(hubRefs(recipe, goal), context),
  ]);
  await checkStageInputs(stageInputs, recipe, context.hub);
  const plan = planRecipe({ recipe, goal, stageInputs, pins, fileDigests, environments });
  checkBatches(plan.steps, target);
  refuseOthersFiles(await outputsOf(plan.steps, context.hub), context.hub);
  const fates = await beforeWork(context, plan, { agreed: options.yes === true || asked.agreed === true, check: asked.check });
  await readyEnvironments(context, target, environmentsToRun(fates));
  const outcomes = await executePlan(engine, plan, asked.resume);
  context.renderer.close();
  return outcomes;
}
