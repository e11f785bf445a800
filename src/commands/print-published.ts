import { publishedValues } from '../evaluations/published.ts';
import { valueText } from '../evaluations/wording.ts';
import { printTable } from './output.ts';

/** What others measured on these benchmarks, away from our values: another judge or harness gives another number. */
export async function printPublished(
  benchmarks: readonly { readonly name: string; readonly title: string; readonly scale: readonly [number, number] }[],
): Promise<void> {
  const rows = benchmarks.flatMap(({ name, title, scale }) =>
    publishedValues([name]).map(({ model, value, measuredBy, source }) => [
      title,
      model,
      valueText(value, scale),
      `${measuredBy}; ${source}`,
    ]),
  );
  process.stdout.write(
    rows.length === 0
      ? '\nnothing is known that others published on these benchmarks\n'
      : '\npublished by others; other judges and harnesses: not to be subtracted from ours\n',
  );
  if (rows.length === 0) return;
  await printTable(
    [
      { title: 'benchmark' },
      { title: 'model' },
      { title: 'value', align: 'right' },
      { title: 'measured by; source', cut: 'under' },
    ],
    rows,
  );
}
