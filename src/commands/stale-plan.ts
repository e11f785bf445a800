import { existsSync } from 'node:fs';
import { shellWord, ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { recipeDifference, type SavedPlan } from '../plan/saved-plan.ts';
import { loadRecipe } from '../recipe/load.ts';
import type { Stage } from '../stages/module.ts';
import type { Context } from './context.ts';

/** The command that a plan was made by. */
function planAgain({ source, hub, goal, stageInputs }: SavedPlan): string {
  const options = [
    ...(source.on === undefined ? [] : ['--on', source.on]),
    ...(hub === null ? [] : ['--hub', hub]),
    ...(goal.length === 1 ? ['--stage', ...goal] : []),
    ...Object.entries(stageInputs).flatMap(([stage, { ref }]) => [`--${stage}`, formatRef(ref)]),
    ...source.set.flatMap((one) => ['--set', one]),
  ];
  return ['zephyr plan', ...[source.file, ...options].map(shellWord)].join(' ');
}

/** The refusal of a plan that was made of something else than what is there now. */
export function holdsNoMore(file: string, saved: SavedPlan, differences: readonly string[]): ZephyrError {
  return new ZephyrError(
    `Cannot run plan "${file}": it does not hold any more\n${differences.map((line) => `  ${line}`).join('\n')}`,
    { exit: 'conflict', hint: `nothing was started; look again, and save anew: ${planAgain(saved)} --out ${shellWord(file)}` },
  );
}

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
