import { acceptanceOf } from '../evaluations/acceptance.ts';
import type { Hub } from '../hub/hub.ts';
import type { ArtifactRef } from '../model/artifact.ts';
import type { Stage } from '../stages/module.ts';
import { printTable } from './output.ts';

/** Whether the trainings of a stage look as such trainings do: in one line where they do, else what is odd and what it likely means. */
export async function printChecks(
  hub: Hub,
  { stage, ref }: { readonly stage: string; readonly ref: ArtifactRef },
  registry: readonly Stage[],
): Promise<void> {
  const trained = (await acceptanceOf(hub, ref, async (name) => registry.find((one) => one.name === name))).filter(
    (one) => one.stage === stage,
  );
  const checks = trained.flatMap((one) => one.checks);
  if (checks.length === 0) return;
  const odd = checks.filter(({ ok }) => ok !== true);
  const count = checks.filter(({ ok }) => ok !== null).length;
  const missed = odd.filter(({ ok }) => ok === false).length;
  const verdict = missed === 0 ? 'the training looks as such trainings do' : 'the training does not look as such trainings do';
  process.stderr.write(`\n${stage}: ${verdict}, ${count - missed} of ${count} checks\n`);
  if (odd.length === 0) return;
  const rows = odd.map(({ name, value, expected, meaning }) => [name, value, expected, meaning]);
  const columns = [
    { title: 'check' },
    { title: 'here', align: 'right' as const },
    { title: 'expected' },
    { title: 'likely means', cut: 'under' as const },
  ];
  await printTable(columns, rows, process.stderr);
}
