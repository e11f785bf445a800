import { serversOf } from '../teachers/servers.ts';
import { priceOf } from '../teachers/terms.ts';
import type { Mistake } from './mistakes.ts';
import type { Recipe } from './recipe.ts';
import type { Path } from './yaml-file.ts';

/** A cap can only be kept where every server of every teacher that the stage asks has a price. */
export function checkBudget(recipe: Recipe, path: Path, budgetUsd: number | undefined, asked: Iterable<string>): Mistake[] {
  if (budgetUsd === undefined) return [];
  return [...asked].flatMap((id) => {
    const spec = recipe.teachers[id];
    const at = spec === undefined ? -1 : serversOf(spec).findIndex((server) => priceOf(server) === undefined);
    if (at === -1) return [];
    const where = at === 0 ? `teachers.${id}` : `teachers.${id}.failover.${at - 1}`;
    return [
      {
        path,
        part: 'value',
        message: `${path.join('.')}: expected ${where}.price, without which its calls would not be counted`,
      },
    ];
  });
}
