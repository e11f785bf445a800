import { namedServers } from '../teachers/servers.ts';
import { priceOf } from '../teachers/terms.ts';
import { type Mistake, mistakeAt, type Path } from './mistake.ts';
import { didYouMean } from './nearest.ts';
import type { RecipeContext } from './recipe-context.ts';

export function unknownTeacher({ teachers }: RecipeContext, path: Path, id: string): Mistake | undefined {
  const known = Object.keys(teachers);
  if (known.includes(id)) return undefined;
  const near =
    didYouMean(id, known) || (known.length === 0 ? '; the recipe has no teachers' : `, expected one of ${known.join(', ')}`);
  return mistakeAt(path, `unknown teacher "${id}"${near}`);
}

/** A cap at `path` can only be kept where every server of every teacher that the stage asks has a price. */
export function checkBudget(
  { teachers }: RecipeContext,
  { path, budgetUsd, asked }: { readonly path: Path; readonly budgetUsd: number | undefined; readonly asked: Iterable<string> },
): Mistake[] {
  if (budgetUsd === undefined) return [];
  return [...new Set(asked)].flatMap((id) => {
    const spec = teachers[id];
    const unpriced = spec && namedServers(id, spec).find(({ server }) => priceOf(server) === undefined);
    if (unpriced === undefined) return [];
    return [mistakeAt(path, `expected teachers.${unpriced.name}.price, without which its calls would not be counted`)];
  });
}
