import type { Hub } from '../hub/hub.ts';
import type { Output } from '../hub/output.ts';
import { pairsOf } from '../stages/aif/judge/count-pairs.ts';
import { promptsOf } from '../stages/aif/prompts/count-prompts.ts';
import { explain, type Fate } from './explain.ts';
import { outputsOf, refuseOthersFiles } from './outputs.ts';
import type { Plan } from './plan.ts';
import { type PlanPrice, pricePlan } from './price.ts';
import { checkSources } from './sources.ts';

/** What carrying out a plan would do to the Hub, and ask of teachers. */
export interface Preview {
  readonly fates: readonly Fate[];
  readonly outputs: readonly Output[];
  readonly price: PlanPrice;
}

/** Looks at what the Hub holds; starts nothing. */
export async function previewPlan(plan: Plan, hub: Hub): Promise<Preview> {
  const [fates, outputs] = await Promise.all([explain(plan, hub), outputsOf(plan.steps, hub)]);
  const [prompts, pairs] = await Promise.all([promptsOf(fates, hub), pairsOf(fates, plan.pins, hub)]);
  return { fates, outputs, price: pricePlan(fates, plan.recipe.teachers, { prompts, pairs }) };
}

/** Throws a `ZephyrError` (usage) for a plan that would be refused before its first job. */
export async function refuseToRun(plan: Plan, { fates, outputs }: Preview, hub: Hub): Promise<void> {
  refuseOthersFiles(outputs, hub);
  await checkSources(fates, plan, hub);
}
