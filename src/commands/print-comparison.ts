import type { BenchmarkComparison } from '../evaluations/compare.ts';
import { differencesTable, notCompared, valuesTable } from '../evaluations/wording.ts';
import { formatRef } from '../model/artifact.ts';
import { wrap } from '../render/text-width.ts';
import { printTable } from './output.ts';

/** Values side by side, then differences, then what is not one and why. */
export async function printComparison(
  benchmarks: readonly BenchmarkComparison[],
  labels: readonly string[],
  notes: readonly string[],
  stream: NodeJS.WriteStream = process.stdout,
): Promise<void> {
  const values = valuesTable(benchmarks, labels);
  stream.write('\n');
  await printTable(values.columns, values.rows, stream);
  stream.write('±: half of the 95 % interval\n');
  const differences = differencesTable(benchmarks, labels);
  if (differences.rows.length > 0) {
    stream.write('\n');
    await printTable(differences.columns, differences.rows, stream);
    paragraph(
      stream,
      `paired item by item; of shares in points of percent. p: by random signs, after Holm over the ${differences.rows.length} shown. detects: the least true difference that would show in 4 of 5 repetitions. better: the one with p below 0.05`,
    );
  } else stream.write('\nnothing can be subtracted\n');
  const refused = notCompared(benchmarks, labels);
  if (refused.length > 0) stream.write('\nnot compared, as measured otherwise:\n');
  for (const text of refused) paragraph(stream, text, '  ');
  if (notes.length > 0) stream.write('\n');
  for (const text of notes) paragraph(stream, text);
}

/** Prose, at most 80 columns wide. */
function paragraph(stream: NodeJS.WriteStream, text: string, indent = ''): void {
  for (const line of wrap(text, 80 - indent.length)) stream.write(`${indent}${line}\n`);
}

/** A benchmark for `--json`: its evaluations by their IDs. */
export function benchmarkDocument({ values, ...rest }: BenchmarkComparison) {
  return { ...rest, values: values.map((one) => (one === undefined ? null : { ...one, from: formatRef(one.from.ref) })) };
}
