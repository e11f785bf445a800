import type { AifTeachers } from '../stages/aif/spec.ts';
import { checkJudge } from './check-judge.ts';
import { checkPairs } from './check-pairs.ts';
import type { Mistake } from './mistakes.ts';
import { didYouMean } from './nearest.ts';
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
  if (recipe.aif.source === 'teachers') mistakes.push(...checkFeedback(recipe, recipe.aif));
  mistakes.push(...checkPairs(recipe));
  return mistakes.filter((found) => found !== undefined);
}

function checkFeedback(recipe: Recipe, aif: AifTeachers): (Mistake | undefined)[] {
  const members = aif.pool.map(({ teacher }, index) =>
    teacher === undefined ? undefined : checkTeacher(recipe, ['aif', 'pool', index, 'teacher'], teacher),
  );
  const tooFew =
    aif.pool.length < aif.answersPerPrompt
      ? mistake(
          ['aif', 'answersPerPrompt'],
          `aif.answersPerPrompt: expected at most ${aif.pool.length}, the size of the pool, got ${aif.answersPerPrompt}`,
        )
      : undefined;
  return [...members, ...checkJudge(recipe, aif, (path, id) => checkTeacher(recipe, path, id)), tooFew];
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
