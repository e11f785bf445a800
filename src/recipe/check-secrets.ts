import { holdsSecret } from '../base/secret-shapes.ts';
import type { Mistake } from './mistakes.ts';
import type { Recipe } from './recipe.ts';
import type { Path } from './yaml-file.ts';

/** Whether a key stands where a recipe names a teacher: what a run made would carry it to the Hub. */
export function checkSecrets({ teachers }: Recipe): Mistake[] {
  return textsIn(teachers, ['teachers']).flatMap(([path, text]): Mistake[] =>
    holdsSecret(text)
      ? [
          {
            path,
            part: 'value',
            message: `${path.join('.')}: expected no key; name its environment variable in keyFrom. The value is not shown`,
          },
        ]
      : [],
  );
}

function textsIn(value: unknown, path: Path): [Path, string][] {
  if (typeof value === 'string') return [[path, value]];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([name, member]) => textsIn(member, [...path, name]));
}
