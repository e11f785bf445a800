import { formatRef, formatRepo } from '../model/artifact.ts';
import type { Fate } from '../plan/explain.ts';
import type { RehearsalDifference } from '../recipe/rehearsal-differences.ts';
import { plainText, printTable } from './output.ts';

/** `why`: the reason instead of what the step is. */
export function printFates(fates: readonly Fate[], why: boolean): void {
  const columns = [
    { title: 'step' },
    { title: '' },
    { title: why ? 'why' : 'what' },
    { title: 'fingerprint', cut: 'never' as const },
  ];
  printTable(
    columns,
    fates.map((f) => [
      `${f.step.stage}/${f.step.name}`,
      f.fate,
      why ? f.why : f.step.summary,
      f.fingerprint?.slice(0, 12) ?? 'known later',
    ]),
  );
  const run = fates.filter(({ fate }) => fate === 'run').length;
  process.stdout.write(
    `\n${run === 0 ? 'Nothing to run' : `${run} to run`}, ${fates.length - run} used again${why ? '' : '; --why says why'}\n`,
  );
}

export function plainFate(fate: Fate): Record<string, unknown> {
  const { step, fingerprint, why } = fate;
  const common = {
    stage: step.stage,
    step: step.name,
    fate: fate.fate,
    fingerprint,
    why,
    output: formatRepo(step.output),
    config: step.config,
  };
  return fate.fate === 'reuse' ? { ...common, artifact: formatRef(fate.artifact.ref) } : common;
}

export function printDifferences(differences: readonly RehearsalDifference[]): void {
  process.stdout.write('\nWhat the rehearsal changes in the recipe:\n');
  printTable(
    [{ title: 'setting' }, { title: 'recipe' }, { title: 'rehearsal' }, { title: 'why' }],
    differences.map((d) => [d.path, plainText(d.recipe), plainText(d.rehearsal), d.why]),
  );
}
