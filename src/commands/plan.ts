import { EXIT } from '../errors.ts';
import { formatRef, formatRepo } from '../model/artifact.ts';
import { explain, type Fate } from '../plan/explain.ts';
import { pinRefs } from '../plan/pin.ts';
import { hubRefs, planRecipe } from '../plan/plan.ts';
import { readStepFiles } from '../plan/read-files.ts';
import { loadRecipe } from '../recipe/load.ts';
import { loadTarget } from '../recipe/load-target.ts';
import { toRehearsal } from '../recipe/rehearse.ts';
import { STAGE_NAMES, type StageName } from '../stages/stage.ts';
import { codeFolder, openContext, type Options } from './context.ts';
import { environmentOf } from './environment.ts';
import { givenInputs } from './given-inputs.ts';
import { printJson, printTable } from './output.ts';

type PlanOptions = Options & { readonly stage?: StageName; readonly why?: boolean; readonly rehearsal?: boolean; readonly detailedExitcode?: boolean };

/** `zephyr plan RECIPE`: what each step would do and why; starts nothing. */
export async function plan([file]: string[], options: PlanOptions): Promise<number> {
  await using context = await openContext({ ...options, json: false });
  const loaded = await loadRecipe(file as string, { set: options.set ?? [], env: context.env, root: context.root });
  const rehearsal = options.rehearsal === true ? toRehearsal(loaded) : undefined;
  const recipe = rehearsal?.recipe ?? loaded;
  const goal = options.stage !== undefined ? [options.stage] : rehearsal === undefined ? (['dsft', 'aif', 'ddpo'] as const) : STAGE_NAMES;
  const [environment, fileDigests, pins, stageInputs] = await Promise.all([
    loadTarget(options.on ?? 'process', context.root).then((target) => environmentOf(context, target)),
    readStepFiles(codeFolder(context)),
    pinRefs(hubRefs(recipe, goal), context.hub),
    givenInputs(context, options),
  ]);
  const fates = await explain(planRecipe({ recipe, goal, stageInputs, pins, fileDigests, environment }), context.hub);
  if (options.json === true) printJson({ steps: fates.map(plain), differences: rehearsal?.differences ?? [] });
  else show(fates, options.why === true);
  if (rehearsal !== undefined && options.json !== true) {
    process.stdout.write('\nWhat the rehearsal changes in the recipe:\n');
    printTable([{ title: 'setting' }, { title: 'recipe' }, { title: 'rehearsal' }, { title: 'why' }], rehearsal.differences.map((d) => [d.path, text(d.recipe), text(d.rehearsal), d.why]));
  }
  return options.detailedExitcode === true && fates.some(({ fate }) => fate === 'run') ? EXIT.planChanged : EXIT.done;
}

function show(fates: readonly Fate[], why: boolean): void {
  const columns = [{ title: 'step' }, { title: '' }, { title: why ? 'why' : 'what' }, { title: 'fingerprint' }];
  printTable(columns, fates.map((f) => [`${f.step.stage}/${f.step.name}`, f.fate, why ? f.why : f.step.summary, f.fingerprint?.slice(0, 12) ?? 'known later']));
  const run = fates.filter(({ fate }) => fate === 'run').length;
  process.stdout.write(`\n${run === 0 ? 'Nothing to run' : `${run} to run`}, ${fates.length - run} used again${why ? '' : '; --why says why'}\n`);
}

function plain(fate: Fate): Record<string, unknown> {
  const { step, fingerprint, why } = fate;
  const common = { stage: step.stage, step: step.name, fate: fate.fate, fingerprint, why, output: formatRepo(step.output), config: step.config };
  return fate.fate === 'reuse' ? { ...common, artifact: formatRef(fate.artifact.ref) } : common;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
}
