import type { Plan } from '../plan/plan.ts';
import type { Preview } from '../plan/preview.ts';
import { plainPrice } from '../plan/price.ts';
import type { RehearsalDifference } from '../recipe/rehearse.ts';
import { printCosts } from './costs.ts';
import { plainDecision, printDecisions, printDifferences } from './decisions.ts';
import { type Key, printKeys } from './keys.ts';
import { plainRepos, printRepos } from './repos.ts';

/** Steps, repos and costs of a plan; of a rehearsal, what it changes in the recipe too. */
export async function printPreview(
  plan: Plan,
  preview: Preview,
  { differences, keys, why }: { differences: readonly RehearsalDifference[]; keys: readonly Key[]; why: boolean },
): Promise<void> {
  await printDecisions(preview.decisions, why);
  printRepos(plan, preview.outputs);
  await printCosts(preview.price);
  printKeys(keys);
  if (differences.length > 0) await printDifferences(differences);
}

export function plainPreview(
  plan: Plan,
  { decisions, outputs, price }: Preview,
  differences: readonly RehearsalDifference[],
): Record<string, unknown> {
  return { steps: decisions.map(plainDecision), ...plainRepos(plan, outputs), price: plainPrice(price), differences };
}
