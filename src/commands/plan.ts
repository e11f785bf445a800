import { checkBatches } from '../engine/hardware.ts';
import { EXIT } from '../errors.ts';
import { tryPins } from '../plan/pin.ts';
import { environmentNames, hubRefs, planRecipe } from '../plan/plan.ts';
import { previewPlan, refuseToRun } from '../plan/preview.ts';
import { readStepFiles } from '../plan/read-files.ts';
import { checkStageInputs } from '../plan/stage-inputs.ts';
import { loadRecipe } from '../recipe/load.ts';
import { loadTarget } from '../recipe/load-target.ts';
import { toRehearsal } from '../recipe/rehearse.ts';
import { STAGE_NAMES, type StageName } from '../stages/stage.ts';
import { codeFolder, type Options, openQuietContext } from './context.ts';
import { environmentDigests, environmentSource } from './environment.ts';
import { givenInputs } from './given-inputs.ts';
import { keysOf } from './keys.ts';
import { plainPreview, printPreview } from './preview.ts';
import { refuseToSave, savePlan } from './save-plan.ts';
import { setDocument } from './verdict.ts';

type PlanOptions = Options & {
  readonly stage?: StageName;
  readonly why?: boolean;
  readonly rehearsal?: boolean;
  readonly detailedExitcode?: boolean;
  readonly out?: string;
};

/** `zephyr plan RECIPE`: what each step would do and why; starts nothing. */
export async function plan([file]: string[], options: PlanOptions): Promise<number> {
  refuseToSave(options);
  await using context = await openQuietContext(options);
  const loaded = await loadRecipe(file as string, { set: options.set ?? [], env: context.env, root: context.root });
  const rehearsal = options.rehearsal === true ? toRehearsal(loaded) : undefined;
  const recipe = rehearsal?.recipe ?? loaded;
  const goal =
    options.stage !== undefined ? [options.stage] : rehearsal === undefined ? (['dsft', 'aif', 'ddpo'] as const) : STAGE_NAMES;
  const target = await loadTarget(options.on ?? 'process', context.root);
  const [environments, fileDigests, { pins, missing }, stageInputs] = await Promise.all([
    environmentDigests(environmentNames(recipe, goal), environmentSource(context, target)),
    readStepFiles(codeFolder(context)),
    tryPins(hubRefs(recipe, goal), context.hub),
    givenInputs(context, options),
  ]);
  await checkStageInputs(stageInputs, recipe, context.hub);
  const planned = planRecipe({ recipe, goal, stageInputs, pins, fileDigests, environments });
  if (rehearsal === undefined) checkBatches(planned.steps, target);
  const preview = await previewPlan(planned, context.hub);
  const { differences = [] } = rehearsal ?? {};
  const keys = keysOf(preview.fates, recipe, context.env);
  const changes = preview.fates.some(({ fate }) => fate === 'run');
  const exit = options.detailedExitcode === true && changes ? EXIT.planChanged : EXIT.done;
  if (options.json === true) setDocument([], { ...plainPreview(planned, preview, differences), keys });
  else printPreview(planned, preview, { differences, keys, why: options.why === true });
  if (missing !== undefined) throw missing;
  await refuseToRun(planned, preview, context.hub);
  await savePlan(context, options, { recipe: file as string, plan: planned, preview, target });
  return exit;
}
