import { checkAnswers } from '../stages/aif/answers/check.ts';
import { checkJudge } from '../stages/aif/judge/check.ts';
import { checkPairs } from '../stages/aif/pairs/check.ts';
import { checkBudget } from '../stages/check-budget.ts';
import { didYouMean } from '../stages/nearest.ts';
import { checkBatches } from './check-batches.ts';
import { checkSecrets } from './check-secrets.ts';
import type { Mistake } from './mistakes.ts';
import type { Recipe } from './recipe.ts';
import type { Path } from './yaml-file.ts';

/** What a schema cannot see: names that must exist elsewhere, and numbers that must fit one another. */
export function checkRecipe(recipe: Recipe): Mistake[] {
  const { data } = recipe.dsft;
  const mistakes: (Mistake | undefined)[] = [];
  if (data.source === 'teacher') {
    mistakes.push(
      checkTeacher(recipe, ['dsft', 'data', 'user'], data.user),
      checkTeacher(recipe, ['dsft', 'data', 'assistant'], data.assistant),
    );
    if (data.world?.topics.length === 0)
      mistakes.push(
        mistake(
          ['dsft', 'data', 'world', 'topics'],
          'missing "dsft.data.world.topics": expected a list of topics, or topicsFile',
        ),
      );
  }
  const { aif } = recipe;
  const asked = new Set<string>();
  const known = (path: Path, id: string) => {
    asked.add(id);
    return checkTeacher(recipe, path, id);
  };
  if (aif.source === 'teachers' || aif.source === 'delta') mistakes.push(...checkAnswers(recipe, aif, known));
  if (aif.source === 'teachers') mistakes.push(...checkJudge(recipe, aif, known));
  mistakes.push(...checkPairs(recipe), ...checkBatches(recipe), ...checkSecrets(recipe));
  if (data.source === 'teacher')
    mistakes.push(...checkBudget(recipe, ['dsft', 'data', 'budgetUsd'], data.budgetUsd, new Set([data.user, data.assistant])));
  if (aif.source === 'teachers' || aif.source === 'delta')
    mistakes.push(...checkBudget(recipe, ['aif', 'budgetUsd'], aif.budgetUsd, asked));
  return mistakes.filter((found) => found !== undefined);
}

function checkTeacher(recipe: Recipe, path: Path, id: string): Mistake | undefined {
  const known = Object.keys(recipe.teachers);
  if (known.includes(id)) return undefined;
  const near =
    didYouMean(id, known) || (known.length === 0 ? '; the recipe has no teachers' : `, expected one of ${known.join(', ')}`);
  return mistake(path, `${path.join('.')}: unknown teacher "${id}"${near}`);
}

function mistake(path: Path, message: string): Mistake {
  return { path, part: 'value', message };
}
