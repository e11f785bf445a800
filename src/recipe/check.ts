import { holdsSecret } from '../base/secret-shapes.ts';
import { type Mistake, mistakeAt, type Path } from '../stages/mistake.ts';
import type { Stage } from '../stages/module.ts';
import type { Recipe } from './recipe.ts';

/** What a schema cannot see: names that must exist elsewhere, and numbers that must fit one another. */
export function checkRecipe(recipe: Recipe, stages: readonly Stage[]): Mistake[] {
  const own = stages.flatMap((stage) => (recipe[stage.name] === undefined ? [] : (stage.check?.(recipe) ?? [])));
  return [...own, ...checkBatches(recipe), ...checkSecrets(recipe)].filter((found) => found !== undefined);
}

/** Files of calls are taken by servers that speak OpenAI's Batch API, and by one of them alone. */
function checkBatches({ teachers }: Recipe): Mistake[] {
  return Object.entries(teachers).flatMap(([id, { batch, provider, via, failover }]) => {
    const path = ['teachers', id, 'batch'];
    if (batch === undefined) return [];
    if ((provider === 'practice' ? via : provider) !== 'openai') {
      const named = provider === 'practice' ? `practice via ${via}` : provider;
      return [mistakeAt(path, `expected provider openai or practice, got ${named}`)];
    }
    if (failover.length === 0) return [];
    return [mistakeAt(path, 'expected no failover list, since a batch is worked on where it was sent')];
  });
}

/** Whether a key stands where a recipe names a teacher: what a run made would carry it to the Hub. */
function checkSecrets({ teachers }: Recipe): Mistake[] {
  return textsIn(teachers, ['teachers']).flatMap(([path, text]) =>
    holdsSecret(text)
      ? [mistakeAt(path, 'expected no key; name its environment variable in keyFrom. The value is not shown')]
      : [],
  );
}

function textsIn(value: unknown, path: Path): [Path, string][] {
  if (typeof value === 'string') return [[path, value]];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([name, member]) => textsIn(member, [...path, name]));
}
