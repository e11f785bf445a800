import { ZephyrError } from '../errors.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { RehearsalDifference } from '../recipe/rehearse.ts';
import type { Target } from '../recipe/target.ts';
import type { Stage } from '../stages/module.ts';
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

/** The plan of evaluating a finished model. */
export async function planModel(
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
  // the plan of a recipe reads nothing of runs
  const { finishedModel } = await import('./finished-model.ts');
  return { ...(await finishedModel(context, { stage, id, file }, options, registry)), stages: [stage], differences: undefined };
}
