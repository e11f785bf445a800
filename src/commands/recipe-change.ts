import { existsSync } from 'node:fs';
import { ZephyrError } from '../errors.ts';
import { recipeDifference, type SavedPlan } from '../plan/saved-plan.ts';
import { loadRecipe } from '../recipe/load.ts';
import type { Stage } from '../stages/module.ts';
import type { Context } from './context.ts';

/** How the recipe's file differs from what was planned; a file that is not here says nothing. */
export async function recipeChange({ root }: Context, saved: SavedPlan, registry: readonly Stage[]): Promise<string | undefined> {
  const { file, set, env } = saved.source;
  if (!existsSync(file)) return undefined;
  try {
    const difference = recipeDifference(saved, await loadRecipe(file, { stages: registry, set, env, root }));
    return difference === undefined ? undefined : `the recipe ${file} was changed, ${difference}`;
  } catch (error) {
    if (!(error instanceof ZephyrError)) throw error;
    return `the recipe ${file} was changed, and cannot be used: ${error.message}`;
  }
}
