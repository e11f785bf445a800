import { formatRef, formatRepo } from '../model/artifact.ts';
import type { Decision } from '../plan/explain.ts';
import type { RehearsalDifference } from '../recipe/rehearse.ts';
import { plainText, printTable } from './output.ts';

/** `why`: the reason instead of what the step is. */
export async function printDecisions(decisions: readonly Decision[], why: boolean): Promise<void> {
  const columns = [
    { title: 'step' },
    { title: '' },
    { title: why ? 'why' : 'what' },
    { title: 'fingerprint', cut: 'never' as const },
  ];
  await printTable(
    columns,
    decisions.map(({ step, action, fingerprint, why: reason }) => [
      `${step.stage}/${step.name}`,
      action,
      why ? reason : step.summary,
      fingerprint?.slice(0, 12) ?? 'known later',
    ]),
  );
  const run = decisions.filter(({ action }) => action === 'run').length;
  process.stdout.write(
    `\n${run === 0 ? 'Nothing to run' : `${run} to run`}, ${decisions.length - run} used again${why ? '' : '; --why says why'}\n`,
  );
}

export function plainDecision(decision: Decision): Record<string, unknown> {
  const { step, fingerprint, why } = decision;
  const common = {
    stage: step.stage,
    step: step.name,
    fate: decision.action,
    fingerprint,
    why,
    output: formatRepo(step.output),
    config: step.config,
  };
  return decision.action === 'reuse' ? { ...common, artifact: formatRef(decision.artifact.ref) } : common;
}

export async function printDifferences(differences: readonly RehearsalDifference[]): Promise<void> {
  process.stdout.write('\nWhat the rehearsal changes in the recipe:\n');
  await printTable(
    [{ title: 'setting' }, { title: 'recipe' }, { title: 'rehearsal' }, { title: 'why' }],
    differences.map((d) => [d.path, plainText(d.recipe), plainText(d.rehearsal), d.why]),
  );
}
