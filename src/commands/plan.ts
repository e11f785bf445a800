import { checkBatches } from '../engine/hardware.ts';
import { EXIT } from '../errors.ts';
import { explain } from '../plan/explain.ts';
import { outputsOf, refuseOthersFiles } from '../plan/outputs.ts';
import { pairsOf } from '../plan/pairs-of.ts';
import { tryPins } from '../plan/pin.ts';
import { hubRefs, planRecipe } from '../plan/plan.ts';
import { pricePlan } from '../plan/price.ts';
import { promptsOf } from '../plan/prompts-of.ts';
import { readStepFiles } from '../plan/read-files.ts';
import { checkStageInputs } from '../plan/stage-inputs.ts';
import { loadRecipe } from '../recipe/load.ts';
import { loadTarget } from '../recipe/load-target.ts';
import { toRehearsal } from '../recipe/rehearse.ts';
import { STAGE_NAMES, type StageName } from '../stages/stage.ts';
import { codeFolder, type Options, openQuietContext } from './context.ts';
import { printCosts } from './costs.ts';
import { environmentOf } from './environment.ts';
import { plainFate, printDifferences, printFates } from './fates.ts';
import { givenInputs } from './given-inputs.ts';
import { printJson } from './output.ts';
import { plainRepos, printRepos } from './repos.ts';

type PlanOptions = Options & {
  readonly stage?: StageName;
  readonly why?: boolean;
  readonly rehearsal?: boolean;
  readonly detailedExitcode?: boolean;
};

/** `zephyr plan RECIPE`: what each step would do and why; starts nothing. */
export async function plan([file]: string[], options: PlanOptions): Promise<number> {
  await using context = await openQuietContext(options);
  const loaded = await loadRecipe(file as string, { set: options.set ?? [], env: context.env, root: context.root });
  const rehearsal = options.rehearsal === true ? toRehearsal(loaded) : undefined;
  const recipe = rehearsal?.recipe ?? loaded;
  const goal =
    options.stage !== undefined ? [options.stage] : rehearsal === undefined ? (['dsft', 'aif', 'ddpo'] as const) : STAGE_NAMES;
  const target = await loadTarget(options.on ?? 'process', context.root);
  const [environment, fileDigests, { pins, missing }, stageInputs] = await Promise.all([
    environmentOf(context, target),
    readStepFiles(codeFolder(context)),
    tryPins(hubRefs(recipe, goal), context.hub),
    givenInputs(context, options),
  ]);
  await checkStageInputs(stageInputs, recipe, context.hub);
  const planned = planRecipe({ recipe, goal, stageInputs, pins, fileDigests, environment });
  if (rehearsal === undefined) checkBatches(planned.steps, target);
  const fates = await explain(planned, context.hub);
  const [prompts, pairs, outputs] = await Promise.all([
    promptsOf(fates, context.hub),
    pairsOf(fates, pins, context.hub),
    outputsOf(planned.steps, context.hub),
  ]);
  const price = pricePlan(fates, recipe.teachers, { prompts, pairs });
  if (options.json === true)
    printJson({
      steps: fates.map(plainFate),
      ...plainRepos(planned, outputs),
      price,
      differences: rehearsal?.differences ?? [],
    });
  else {
    printFates(fates, options.why === true);
    printRepos(planned, outputs);
    printCosts(price);
  }
  if (rehearsal !== undefined && options.json !== true) printDifferences(rehearsal.differences);
  if (missing !== undefined) throw missing;
  refuseOthersFiles(outputs, context.hub);
  return options.detailedExitcode === true && fates.some(({ fate }) => fate === 'run') ? EXIT.planChanged : EXIT.done;
}
