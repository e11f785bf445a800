import { checkBatches } from '../engine/hardware.ts';
import { fitOn } from '../engine/hardware-fit.ts';
import { checkAttention } from '../engine/hardware-needs.ts';
import { EXIT } from '../errors.ts';
import { readStepFiles } from '../plan/fingerprint.ts';
import { tryPins } from '../plan/pin.ts';
import { environmentNames, hubRefs, planRecipe } from '../plan/plan.ts';
import { previewPlan, refuseToRun } from '../plan/preview.ts';
import { checkStageInputs } from '../plan/stage-inputs.ts';
import { loadStages, type StageModule } from '../stages/module.ts';
import { askedPlan } from './asked-plan.ts';
import { givenInputs } from './asked-recipe.ts';
import { codeFolder, openQuietContext } from './context.ts';
import { environmentDigests, openScheduler, PlannedEnvironments } from './environment-digests.ts';
import { keysOf } from './keys.ts';
import type { PlanOptions } from './plan-model.ts';
import { plainPreview, printPreview } from './preview.ts';
import { refuseToSave, savePlan } from './save-plan.ts';
import { setDocument } from './verdict.ts';

/** `zephyr plan RECIPE`, or `zephyr plan ID --suite NAME`: what each step would do and why; starts nothing. */
export async function plan(given: string[], options: PlanOptions, modules: readonly StageModule[]): Promise<number> {
  refuseToSave(options);
  const registry = await loadStages(modules);
  await using context = await openQuietContext(options);
  const { recipe, target, stages, differences } = await askedPlan(context, given, options, registry);
  const source = new PlannedEnvironments(context, target);
  const [environments, fileDigests, { pins, missing }, stageInputs] = await Promise.all([
    environmentDigests(environmentNames(recipe, registry, stages), source),
    readStepFiles(codeFolder(context)),
    tryPins(hubRefs(recipe, registry, stages), context.hub),
    givenInputs(context, options),
  ]);
  await checkStageInputs(stageInputs, registry, context.hub);
  const planned = planRecipe({ recipe, registry, stages, stageInputs, pins, fileDigests, environments });
  if (differences === undefined) checkBatches(planned.steps, target);
  const fit = differences === undefined ? fitOn(target, planned, context.hub) : undefined;
  const preview = await previewPlan(planned, context.hub, fit);
  const keys = keysOf(preview.decisions, recipe, context.env);
  const changes = preview.decisions.some(({ action }) => action === 'run');
  const exit = options.detailedExitcode === true && changes ? EXIT.planChanged : EXIT.done;
  if (options.json === true) setDocument([], { ...plainPreview(planned, preview, differences ?? []), keys });
  else await printPreview(planned, preview, { differences: differences ?? [], keys, why: options.why === true });
  if (missing !== undefined) throw missing;
  await refuseToRun(planned, preview, context.hub);
  if (source.fault !== undefined) throw source.fault;
  if (differences === undefined) await checkAttention(() => openScheduler(context, target), target, preview.decisions);
  await savePlan(
    context,
    { ...options, on: options.on ?? 'process' },
    { recipe: given[0] as string, plan: planned, preview, target },
  );
  return exit;
}
