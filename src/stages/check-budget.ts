import type { Mistake } from '../recipe/mistakes.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Path } from '../recipe/yaml-file.ts';
import { namedServers } from '../teachers/servers.ts';
import { priceOf } from '../teachers/terms.ts';

/** A cap can only be kept where every server of every teacher that the stage asks has a price. */
export function checkBudget(recipe: Recipe, path: Path, budgetUsd: number | undefined, asked: Iterable<string>): Mistake[] {
  if (budgetUsd === undefined) return [];
  return [...asked].flatMap((id) => {
    const spec = recipe.teachers[id];
    const unpriced = spec && namedServers(id, spec).find(({ server }) => priceOf(server) === undefined);
    if (unpriced === undefined) return [];
    return [
      {
        path,
        part: 'value',
        message: `${path.join('.')}: expected teachers.${unpriced.name}.price, without which its calls would not be counted`,
      },
    ];
  });
}
