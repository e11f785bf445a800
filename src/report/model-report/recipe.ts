import type { StageModule } from '../../stages/module.ts';
import type { ReportRecipe } from './facts.ts';

/** The recipe of a run as YAML. Stages that a rehearsal alone has tell that it is one. */
export async function recipeOf(recipe: unknown, stages: readonly StageModule[]): Promise<ReportRecipe> {
  const { stringify } = await import('yaml');
  const yaml = stringify(recipe, { lineWidth: 100, aliasDuplicateObjects: false });
  const isRehearsal = stages.some(({ name, rehearsalOnly }) => rehearsalOnly === true && Object.hasOwn(recipe as object, name));
  return { yaml, isRehearsal };
}
