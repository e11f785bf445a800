import type { Output } from '../hub/output.ts';
import { formatRef, formatRepo } from '../model/artifact.ts';
import { plainFit } from '../plan/fit/plain-fit.ts';
import type { Plan } from '../plan/plan.ts';
import type { Preview } from '../plan/preview.ts';
import { plainPrice } from '../plan/price.ts';
import type { RehearsalDifference } from '../recipe/rehearse.ts';
import { printCosts } from './costs.ts';
import { plainDecision, printDecisions, printDifferences } from './decisions.ts';
import { printFits } from './fits.ts';
import { type Key, printKeys } from './keys.ts';

/** Steps, repos and costs of a plan; of a rehearsal, what it changes in the recipe too. */
export async function printPreview(
  plan: Plan,
  preview: Preview,
  { differences, keys, why }: { differences: readonly RehearsalDifference[]; keys: readonly Key[]; why: boolean },
): Promise<void> {
  await printDecisions(preview.decisions, why);
  printRepos(plan, preview);
  await printCosts(preview.price);
  await printFits(preview.fit);
  printKeys(keys);
  if (differences.length > 0) await printDifferences(differences);
}

export function plainPreview(
  plan: Plan,
  { decisions, outputs, price, fit }: Preview,
  differences: readonly RehearsalDifference[],
): Record<string, unknown> {
  const publishes = outputs.map(({ repo, holds, others }) => ({ repo: formatRepo(repo), holds, others }));
  const takes = { price: plainPrice(price), fit: fit.steps.map(plainFit) };
  return { steps: decisions.map(plainDecision), reads: readsOf(plan), publishes, ...takes, differences };
}

const HOLDS: Record<Output['holds'], string> = {
  nothing: 'new',
  artifact: 'gets a further commit',
  'other files': 'holds files that zephyr did not make',
};

/** What a plan reads, at which commit, and where it publishes; references are whole, however narrow the terminal. */
function printRepos(plan: Plan, { outputs, replacesTemplateOf: base }: Preview): void {
  const reads = readsOf(plan);
  process.stdout.write('\n');
  if (reads.length > 0) process.stdout.write(`Reads:\n${reads.map((ref) => `  ${ref}\n`).join('')}`);
  const publishes = outputs.map(({ repo, holds }) => `  ${formatRepo(repo)} (${HOLDS[holds]})\n`).join('');
  if (publishes !== '') process.stdout.write(`Publishes in:\n${publishes}`);
  if (base !== undefined)
    process.stdout.write(
      `\nThe recipe's chat template replaces the one of the base model,\n  ${formatRepo(base)}: one that chats loses its format\n`,
    );
}

function readsOf({ pins, stageInputs }: Plan): string[] {
  return [...new Set([...pins.values(), ...Object.values(stageInputs)].map(({ ref }) => formatRef(ref)))];
}
