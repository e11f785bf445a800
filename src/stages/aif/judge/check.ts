import { JUDGE_MODES, MODE_NAMES } from '../../../judging/panel.ts';
import { unknownTeacher } from '../../check-teachers.ts';
import { type Mistake, mistakeAt, type Path } from '../../mistake.ts';
import type { RecipeContext } from '../../recipe-context.ts';
import type { AifTeachers } from '../spec.ts';

/** Answers side by side are labelled A to Z. */
const MOST_SIDE_BY_SIDE = 26;
const FOR_MANY = MODE_NAMES.filter((name) => JUDGE_MODES[name].sideBySide !== true);

/**
 * Whether the judges exist, are different models (the same model twice would only repeat itself), and see no more
 * answers at once than there are labels.
 */
export function checkJudge(recipe: RecipeContext, { judge, answersPerPrompt }: AifTeachers): (Mistake | undefined)[] {
  if (judge.by === 'reward_model') return [];
  const { teachers } = recipe;
  const at = (index: number): Path => ['aif', 'judge', 'teachers', index];
  const models = judge.teachers.map((id) => teachers[id]?.model);
  const twice = models.findIndex((model, index) => model !== undefined && models.indexOf(model) < index);
  const spare = judge.fallback === undefined ? undefined : teachers[judge.fallback]?.model;
  const isSideBySide = judge.aspects.length > 0 && JUDGE_MODES[judge.mode].sideBySide === true;
  return [
    isSideBySide && answersPerPrompt > MOST_SIDE_BY_SIDE
      ? mistakeAt(
          ['aif', 'judge', 'mode'],
          `expected ${FOR_MANY.join(' or ')} with more than ${MOST_SIDE_BY_SIDE} answers a prompt, got ${judge.mode} with ${answersPerPrompt}`,
        )
      : undefined,
    ...judge.teachers.map((id, index) => unknownTeacher(recipe, at(index), id)),
    judge.fallback === undefined ? undefined : unknownTeacher(recipe, ['aif', 'judge', 'fallback'], judge.fallback),
    twice < 0
      ? undefined
      : mistakeAt(
          at(twice),
          `expected different models, got ${models[twice]} twice; orders are what aif.judge.permutations is for`,
        ),
    spare !== undefined && models.includes(spare)
      ? mistakeAt(['aif', 'judge', 'fallback'], `expected another model than the judges, got ${spare}`)
      : undefined,
  ];
}
