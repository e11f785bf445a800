import { EXIT, type ExitName, ZephyrError } from '../errors.ts';
import { executePlan, type StageOutcome } from '../engine/execute.ts';
import { formatRef } from '../model/artifact.ts';
import type { Artifact, Failure } from '../model/outcome.ts';
import { pinRefs } from '../plan/pin.ts';
import { hubRefs, planRecipe } from '../plan/plan.ts';
import { readStepFiles } from '../plan/read-files.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Target } from '../recipe/target.ts';
import type { StageName } from '../stages/stage.ts';
import { type Context, openEngine, type Options } from './context.ts';

export interface Work {
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
  await engine.backend.check();
  const [environment, fileDigests, pins] = await Promise.all([
    engine.backend.environment(),
    readStepFiles(engine.codeFolder),
    asked.pins ?? pinRefs(hubRefs(recipe, goal), context.hub),
  ]);
  const plan = planRecipe({ recipe, goal, stageInputs, pins, fileDigests, environment });
  const outcomes = await executePlan(engine, plan, asked.resume);
  context.renderer.close();
  return outcomes;
}

/** The exit status of a failure; see the README. */
const EXIT_OF: Record<Failure['reason'], ExitName> = {
  'job-failed': 'jobFailed',
  'out-of-memory': 'jobFailed',
  interrupted: 'temporary',
  lost: 'temporary',
  'disk-full': 'temporary',
  teacher: 'temporary',
  'bad-data': 'usage',
  'bad-artifact': 'preflight',
  cancelled: 'cancelled',
};

/** One artifact ID a line on stdout, so that `ID=$(zephyr dsft ...)` works; a failed stage becomes the error of the command. */
export function report(outcomes: readonly StageOutcome[], options: Options): number {
  for (const outcome of outcomes) {
    if (!outcome.ok) throw failureError(outcome.stage, outcome.step, outcome.run, outcome.failure);
    if (options.json !== true) process.stdout.write(`${formatRef(outcome.artifact.ref)}\n`);
  }
  return EXIT.done;
}

function failureError(stage: string, step: string, run: string, failure: Failure): ZephyrError {
  const tail = failure.reason === 'job-failed' && failure.logTail.length > 0 ? `\n${failure.logTail.map((line) => `  | ${line}`).join('\n')}` : '';
  return new ZephyrError(`Stage ${stage} stopped in step ${step}: ${failure.message}${tail}`, {
    exit: EXIT_OF[failure.reason],
    hint: failure.reason === 'bad-data' ? `mend the data or the recipe and run the stage again; log: zephyr logs ${run}` : `go on with: zephyr resume ${run}; log: zephyr logs ${run}`,
  });
}
