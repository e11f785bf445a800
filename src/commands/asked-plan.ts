import { ZephyrError } from '../errors.ts';
import { stagesIn } from '../plan/plan.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { type RehearsalDifference, toRehearsal } from '../recipe/rehearse.ts';
import type { Target } from '../recipe/target.ts';
import type { Stage } from '../stages/module.ts';
import { askedRecipe } from './asked-recipe.ts';
import type { Context, Options } from './context.ts';

export type PlanOptions = Options & {
  readonly stage?: string;
  readonly suite?: string;
  readonly why?: boolean;
  readonly rehearsal?: boolean;
  readonly detailedExitcode?: boolean;
  readonly out?: string;
};

export interface AskedPlan {
  readonly recipe: Recipe;
  readonly target: Target;
  readonly stages: readonly string[];
  /** what a rehearsal changes; undefined where it is none */
  readonly differences: readonly RehearsalDifference[] | undefined;
}

/** What is to be planned: a recipe, its rehearsal, or with `--suite` the measuring of a finished model. */
export async function askedPlan(
  context: Context,
  [given = '', file]: readonly string[],
  options: PlanOptions,
  registry: readonly Stage[],
): Promise<AskedPlan> {
  if (options.suite !== undefined) return await measuring(context, [given, file], options, registry);
  if (file !== undefined)
    throw new ZephyrError(`Cannot plan "${given}" with a second recipe, "${file}": expected one`, {
      hint: 'zephyr plan ID RECIPE is for a finished model, with --suite NAME',
    });
  const { recipe: loaded, target } = await askedRecipe(context, given, { ...options, on: options.on ?? 'process' }, registry);
  const rehearsal = options.rehearsal === true ? toRehearsal(loaded, registry) : undefined;
  const { recipe, differences } = rehearsal ?? { recipe: loaded, differences: undefined };
  return { recipe, target, stages: options.stage === undefined ? stagesIn(recipe, registry) : [options.stage], differences };
}

async function measuring(
  context: Context,
  [id, file]: readonly [string, string | undefined],
  options: PlanOptions,
  registry: readonly Stage[],
): Promise<AskedPlan> {
  const stage = registry.find(({ measures }) => measures !== undefined)?.name as string;
  const other = options.rehearsal === true ? '--rehearsal' : options.stage === undefined ? '--out' : '--stage';
  if (options.rehearsal === true || options.stage !== undefined || options.out !== undefined)
    throw new ZephyrError(`Cannot plan "${id}" with --suite and ${other}: only what a recipe makes is planned with that`, {
      hint: `carry it out with: zephyr ${stage} ID --suite ${options.suite}`,
    });
  const { finishedModel } = await import('./finished-model.ts');
  return { ...(await finishedModel(context, { stage, id, file }, options, registry)), stages: [stage], differences: undefined };
}
