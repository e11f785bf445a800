import { canonicalJson } from '../base/canonical-json.ts';
import type { Hub } from '../hub/hub.ts';
import { valueAt } from '../recipe/mistakes.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Path } from '../stages/mistake.ts';
import type { Stage } from '../stages/module.ts';
import { namedServers, serversOf } from '../teachers/servers.ts';
import type { TeacherSpec } from '../teachers/spec.ts';
import { keyName, priceOf } from '../teachers/terms.ts';
import { countItems } from './count.ts';
import type { Decision } from './explain.ts';
import type { Plan } from './plan.ts';
import { type PlanPrice, pricePlan } from './price.ts';

type RecipeTeachers = Recipe['teachers'];

/** A stage that would ask teachers for money without a cap. */
export interface Uncapped {
  readonly stage: string;
  /** the key of its cap in the recipe */
  readonly setting: string;
  readonly price: PlanPrice;
}

/** Whom the steps to run may ask, by the recipe's names; those of steps that are used again are not asked. */
function askedTeachers(decisions: readonly Decision[]): Set<string> {
  const running = decisions.filter(({ action }) => action === 'run').map(({ step }) => step);
  return new Set(running.flatMap(({ calls = [], spare = [] }) => [...calls.map(({ teacher }) => teacher), ...spare]));
}

/**
 * The environment variables that hold the keys of all servers that may be asked, and whose these are: `judge`,
 * `judge.failover.0`, in the order in which they come.
 */
export function wantedKeys(decisions: readonly Decision[], teachers: RecipeTeachers): Map<string, string[]> {
  const wanted = new Map<string, string[]>();
  for (const id of askedTeachers(decisions)) {
    for (const { name: whose, server } of namedServers(id, specOf(teachers, id))) {
      const name = keyName(server);
      if (name !== undefined) wanted.set(name, [...(wanted.get(name) ?? []), whose]);
    }
  }
  return wanted;
}

/** The stages that would spend without a cap. Teachers that are free need none: practice, or a price of nothing. */
export async function uncappedStages(plan: Plan, decisions: readonly Decision[], hub: Hub): Promise<Uncapped[]> {
  const { teachers } = plan.recipe;
  const paid = decisions.filter(
    (one) => one.step.budgetUsd === undefined && [...askedTeachers([one])].some((id) => mayCost(specOf(teachers, id))),
  );
  const stages = plan.registry.filter(({ name }) => paid.some(({ step }) => step.stage === name));
  if (stages.length === 0) return [];
  const counts = await countItems(plan, decisions, hub);
  return stages.map((stage) => {
    const own = decisions.filter(({ step }) => step.stage === stage.name);
    const unpriced = [...askedTeachers(own)].filter((id) =>
      serversOf(specOf(teachers, id)).some((server) => priceOf(server) === undefined),
    );
    const price = { ...pricePlan(own, teachers, counts), unpriced };
    return { stage: stage.name, setting: budgetPath(stage).join('.'), price };
  });
}

/** Whether two recipes differ in nothing that money depends on: servers, prices, caps. */
export function costsTheSame(one: Recipe, other: Recipe, registry: readonly Stage[]): boolean {
  const money = (recipe: Recipe) =>
    canonicalJson([recipe.teachers, registry.map((stage) => (valueAt(recipe, budgetPath(stage)) as number | undefined) ?? null)]);
  return money(one) === money(other);
}

function budgetPath({ name, budget = ['budgetUsd'] }: Pick<Stage, 'name' | 'budget'>): Path {
  return [name, ...budget];
}

/** What has no price may cost anything. */
function mayCost(spec: TeacherSpec): boolean {
  return serversOf(spec).some((server) => {
    const price = priceOf(server);
    return server.provider !== 'practice' && (price === undefined || price.input > 0 || price.output > 0);
  });
}

function specOf(teachers: RecipeTeachers, id: string): TeacherSpec {
  const spec = teachers[id];
  if (spec === undefined) throw new Error(`Cannot find teacher "${id}": the recipe has none of that name`);
  return spec;
}
