import type { BenchmarkComparison } from '../evaluations/compare.ts';
import { differencesTable, notCompared, valuesTable } from '../evaluations/wording.ts';
import { wrap } from '../render/text-width.ts';
import { printTable } from './output.ts';

/** Values side by side, then differences, then what is not one and why. */
export async function printComparison(
  benchmarks: readonly BenchmarkComparison[],
  labels: readonly string[],
  notes: readonly string[],
): Promise<void> {
  const values = valuesTable(benchmarks, labels);
  process.stdout.write('\n');
  await printTable(values.columns, values.rows);
  process.stdout.write('±: half of the 95 % interval\n');
  const differences = differencesTable(benchmarks, labels);
  if (differences.rows.length > 0) {
    process.stdout.write('\n');
    await printTable(differences.columns, differences.rows);
    paragraph(
      `paired item by item; of shares in points of percent. p: by random signs, after Holm over the ${differences.rows.length} shown. detects: the least true difference that would show in 4 of 5 repetitions. better: the one with p below 0.05`,
    );
  } else process.stdout.write('\nnothing can be subtracted\n');
  const refused = notCompared(benchmarks, labels);
  if (refused.length > 0) process.stdout.write('\nnot compared, as measured otherwise:\n');
  for (const text of refused) paragraph(text, '  ');
  if (notes.length > 0) process.stdout.write('\n');
  for (const text of notes) paragraph(text);
}

/** Prose, at most 80 columns wide. */
function paragraph(text: string, indent = ''): void {
  for (const line of wrap(text, 80 - indent.length)) process.stdout.write(`${indent}${line}\n`);
}
