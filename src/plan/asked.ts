import { canonicalJson } from '../base/canonical-json.ts';
import type { Hub } from '../hub/hub.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { pairsOf } from '../stages/aif/judge/count-pairs.ts';
import { promptsOf } from '../stages/aif/prompts/count-prompts.ts';
import type { StageName } from '../stages/stage.ts';
import { namedServers, serversOf } from '../teachers/servers.ts';
import type { TeacherSpec } from '../teachers/spec.ts';
import { keyName, priceOf } from '../teachers/terms.ts';
import type { Fate } from './explain.ts';
import type { Plan } from './plan.ts';
import { type PlanPrice, pricePlan } from './price.ts';

type Teachers = Recipe['teachers'];

/** A stage that would ask teachers for money without a cap. */
export interface Uncapped {
  readonly stage: StageName;
  /** the setting of its cap */
  readonly setting: string;
  readonly price: PlanPrice;
}

/** Whom the steps to run may ask, by the recipe's names; those of steps that are used again are not asked. */
function askedTeachers(fates: readonly Fate[]): Set<string> {
  const running = fates.filter(({ fate }) => fate === 'run').map(({ step }) => step);
  return new Set(running.flatMap(({ calls = [], spare = [] }) => [...calls.map(({ teacher }) => teacher), ...spare]));
}

/**
 * The environment variables that hold the keys of all servers that may be asked, and whose these are: `judge`,
 * `judge.failover.0`, in the order in which they come.
 */
export function wantedKeys(fates: readonly Fate[], teachers: Teachers): Map<string, string[]> {
  const wanted = new Map<string, string[]>();
  for (const id of askedTeachers(fates)) {
    for (const { name: whose, server } of namedServers(id, specOf(teachers, id))) {
      const name = keyName(server);
      if (name !== undefined) wanted.set(name, [...(wanted.get(name) ?? []), whose]);
    }
  }
  return wanted;
}

/** The stages that would spend without a cap. Teachers that are free need none: practice, or a price of nothing. */
export async function uncappedStages(plan: Plan, fates: readonly Fate[], hub: Hub): Promise<Uncapped[]> {
  const { teachers } = plan.recipe;
  const paid = fates.filter(
    (fate) => fate.step.budgetUsd === undefined && [...askedTeachers([fate])].some((id) => mayCost(specOf(teachers, id))),
  );
  const stages = [...new Set(paid.map(({ step }) => step.stage))];
  if (stages.length === 0) return [];
  const [prompts, pairs] = await Promise.all([promptsOf(fates, hub), pairsOf(fates, plan.pins, hub)]);
  return stages.map((stage) => {
    const own = fates.filter(({ step }) => step.stage === stage);
    const unpriced = [...askedTeachers(own)].filter((id) =>
      serversOf(specOf(teachers, id)).some((server) => priceOf(server) === undefined),
    );
    const price = { ...pricePlan(own, teachers, { prompts, pairs }), unpriced };
    return { stage, setting: stage === 'dsft' ? 'dsft.data.budgetUsd' : 'aif.budgetUsd', price };
  });
}

/** Whether two recipes differ in nothing that money depends on: servers, prices, caps. */
export function costsTheSame(one: Recipe, other: Recipe): boolean {
  const money = ({ teachers, dsft, aif }: Recipe) =>
    canonicalJson({
      teachers,
      dsft: dsft.data.source === 'teacher' ? dsft.data.budgetUsd : null,
      aif: 'budgetUsd' in aif ? aif.budgetUsd : null,
    });
  return money(one) === money(other);
}

/** What has no price may cost anything. */
function mayCost(spec: TeacherSpec): boolean {
  return serversOf(spec).some((server) => {
    const price = priceOf(server);
    return server.provider !== 'practice' && (price === undefined || price.input > 0 || price.output > 0);
  });
}

function specOf(teachers: Teachers, id: string): TeacherSpec {
  const spec = teachers[id];
  if (spec === undefined) throw new Error(`Cannot find teacher "${id}": the recipe has none of that name`);
  return spec;
}
