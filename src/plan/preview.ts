import type { Hub } from '../hub/hub.ts';
import type { Output } from '../hub/output.ts';
import type { ArtifactRef } from '../model/artifact.ts';
import { baseWithTemplate } from './base-template.ts';
import { countItems } from './count.ts';
import { type Decision, explain } from './explain.ts';
import { type PlanFit, refuseUnfit } from './fit/fit.ts';
import { outputsOf, refuseOthersFiles } from './outputs.ts';
import type { Plan } from './plan.ts';
import { type PlanPrice, pricePlan } from './price.ts';
import { checkSources } from './sources.ts';

/** What carrying out a plan would do to the Hub, and ask of teachers. */
export interface Preview {
  readonly decisions: readonly Decision[];
  /** of the steps that run: what is used again is not published once more */
  readonly outputs: readonly Output[];
  /** the base model whose own chat template the recipe's replaces */
  readonly replacesTemplateOf: ArtifactRef | undefined;
  readonly price: PlanPrice;
  /** what is needed of GPUs; no step where nobody asked */
  readonly fit: PlanFit;
}

/** Looks at what the Hub holds; starts nothing. */
export async function previewPlan(
  plan: Plan,
  hub: Hub,
  fitOf?: (decisions: readonly Decision[]) => Promise<PlanFit>,
): Promise<Preview> {
  const [decisions, replacesTemplateOf] = await Promise.all([explain(plan, hub), baseWithTemplate(plan, hub)]);
  const running = decisions.flatMap(({ action, step }) => (action === 'run' ? [step] : []));
  const outputs = await outputsOf(running, hub);
  const price = pricePlan(decisions, plan.recipe.teachers, await countItems(plan, decisions, hub));
  const fit = (await fitOf?.(decisions)) ?? { steps: [], gpu: undefined, onCpu: false };
  return { decisions, outputs, replacesTemplateOf, price, fit };
}

/** Throws a `ZephyrError` (usage) for a plan that would be refused before its first job. */
export async function refuseToRun(plan: Plan, { decisions, outputs, fit }: Preview, hub: Hub): Promise<void> {
  refuseOthersFiles(outputs, hub);
  await checkSources(decisions, plan, hub);
  refuseUnfit(fit);
}
