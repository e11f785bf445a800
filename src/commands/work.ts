import type { Engine } from '../engine/engine.ts';
import { executePlan } from '../engine/execute.ts';
import { checkBatches } from '../engine/hardware.ts';
import { checkAttention, checkDevices } from '../engine/hardware-needs.ts';
import type { Artifact } from '../model/outcome.ts';
import { readStepFiles } from '../plan/fingerprint.ts';
import { outputsOf, refuseOthersFiles } from '../plan/outputs.ts';
import { environmentNames, hubRefs, planRecipe } from '../plan/plan.ts';
import { checkStageInputs } from '../plan/stage-inputs.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Stage } from '../stages/module.ts';
import { beforeWork, type Terms } from './before-work.ts';
import { type Context, type Options, openEngine } from './context.ts';
import { detach, expectDriver } from './detach.ts';
import { environmentsToRun, readyEnvironments } from './environment.ts';
import { environmentDigests } from './environment-digests.ts';
import { pinsOrPull } from './missing-inputs.ts';
import { tellOutcomes } from './tell-outcomes.ts';
import { trackRun } from './tracking.ts';

export interface Work extends Terms, Pick<Engine, 'driver'> {
  readonly recipe: Recipe;
  /** every stage of this zephyr */
  readonly registry: readonly Stage[];
  /** the names of those to run */
  readonly stages: readonly string[];
  readonly stageInputs: Readonly<Record<string, Artifact>>;
  /** A resumed run brings its own pins; otherwise they are taken now. */
  readonly pins?: ReadonlyMap<string, Artifact>;
}

/** The spine of every verb that runs stages: pin, plan, execute, report. Returns the exit status. */
export async function work(context: Context, options: Options, asked: Work): Promise<number> {
  const { recipe, target, registry, stages, stageInputs } = asked;
  const engine = await openEngine(context, asked, options);
  if (options.detach === true) expectDriver(engine);
  const [environments, fileDigests, pins] = await Promise.all([
    environmentDigests(environmentNames(recipe, registry, stages), engine.backend.scheduler),
    readStepFiles(engine.codeFolder),
    asked.pins ?? pinsOrPull(hubRefs(recipe, registry, stages), context),
  ]);
  await checkStageInputs(stageInputs, registry, context.hub);
  const plan = planRecipe({ recipe, registry, stages, stageInputs, pins, fileDigests, environments });
  checkBatches(plan.steps, target);
  refuseOthersFiles(await outputsOf(plan.steps, context.hub), context.hub);
  const decisions = await beforeWork(context, plan, asked, options);
  await readyEnvironments(context, target, environmentsToRun(decisions));
  const scheduler = async () => engine.backend.scheduler;
  await checkAttention(scheduler, target, decisions);
  await checkDevices(scheduler, target, decisions);
  const handed = options.detach === true ? await detach(context, engine, { ...asked, plan, decisions }, options) : undefined;
  if (handed !== undefined) return handed;
  await trackRun(context, target, { project: recipe.name, steps: plan.steps });
  const outcomes = await executePlan(engine, plan, asked.resume);
  return await tellOutcomes(context, outcomes, registry, options);
}
