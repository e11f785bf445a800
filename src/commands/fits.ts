import type { KnownFit, PlanFit } from '../plan/fit/fit.ts';
import { tightWarnings } from '../plan/fit/fit.ts';
import { fitNotes, fitRows } from '../plan/fit/told.ts';
import { printTable } from './output.ts';

/** Memory and time of the steps that need a GPU, a column for each, under the table of steps. */
export async function printFits(fit: PlanFit): Promise<void> {
  const known = fit.steps.filter((step): step is KnownFit => step.known);
  if (fit.steps.length > 0) process.stdout.write('\n');
  if (known.length > 0) {
    process.stdout.write('Estimated: memory of one rank at its peak in GiB, and what it takes\n');
    const columns = [{ title: '' }, ...known.map(({ step }) => ({ title: step, align: 'right' as const }))];
    await printTable(columns, fitRows(known, fit.gpu));
    process.stdout.write(`${fitNotes(known, fit).join('\n')}\n`);
  }
  for (const step of fit.steps) if (!step.known) process.stdout.write(`Memory of ${step.step} is not known: ${step.why}\n`);
  for (const warning of tightWarnings(fit)) process.stdout.write(`warning: ${warning}\n`);
}
