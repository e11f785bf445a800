import type { Mistake } from '../../../recipe/mistakes.ts';
import type { Recipe } from '../../../recipe/recipe.ts';
import type { Path } from '../../../recipe/yaml-file.ts';
import type { AifTeachers } from '../spec.ts';

/** Answers side by side are labelled A to Z. */
const MOST_SIDE_BY_SIDE = 26;

/**
 * Whether the judges exist, are different models (the same model in two seats would only repeat itself), and see no more
 * answers at once than there are labels.
 */
export function checkJudge(
  { teachers }: Recipe,
  { judge, answersPerPrompt }: AifTeachers,
  checkTeacher: (path: Path, id: string) => Mistake | undefined,
): (Mistake | undefined)[] {
  if (judge.by === 'reward_model') return [];
  const at = (index: number): Path => ['aif', 'judge', 'teachers', index];
  const models = judge.teachers.map((id) => teachers[id]?.model);
  const twice = models.findIndex((model, index) => model !== undefined && models.indexOf(model) < index);
  const spare = judge.fallback === undefined ? undefined : teachers[judge.fallback]?.model;
  const isSideBySide = judge.aspects.length > 0 && (judge.mode === 'per_aspect' || judge.mode === 'joint');
  return [
    isSideBySide && answersPerPrompt > MOST_SIDE_BY_SIDE
      ? mistake(
          ['aif', 'judge', 'mode'],
          `expected pairwise or expected with more than ${MOST_SIDE_BY_SIDE} answers a prompt, got ${judge.mode} with ${answersPerPrompt}`,
        )
      : undefined,
    ...judge.teachers.map((id, index) => checkTeacher(at(index), id)),
    judge.fallback === undefined ? undefined : checkTeacher(['aif', 'judge', 'fallback'], judge.fallback),
    twice < 0
      ? undefined
      : mistake(
          at(twice),
          `expected different models, got ${models[twice]} twice; orders are what aif.judge.permutations is for`,
        ),
    spare !== undefined && models.includes(spare)
      ? mistake(['aif', 'judge', 'fallback'], `expected another model than the judges, got ${spare}`)
      : undefined,
  ];
}

function mistake(path: Path, message: string): Mistake {
  return { path, part: 'value', message: `${path.join('.')}: ${message}` };
}
