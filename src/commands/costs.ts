import type { PlanPrice, StepPrice } from '../plan/price.ts';
import { formatCount, formatDollars, formatDuration } from '../render/format.ts';
import { printTable } from './output.ts';

/** What teachers will be asked and what it will cost, under the table of steps. */
export function printCosts({ rows, dollars, unpriced, warnings }: PlanPrice): void {
  if (rows.length === 0) return;
  process.stdout.write('\nWhat teachers will be asked, at the prices of the recipe:\n');
  const right = (title: string) => ({ title, align: 'right' as const });
  printTable(
    [{ title: 'step' }, { title: 'teacher' }, ...['calls', 'in', 'out', 'low', 'expected', 'high', 'time'].map(right)],
    rows.map((row) => [
      row.step,
      row.teacher,
      row.calls === null ? 'later' : formatCount(row.calls),
      formatCount(row.inputTokens),
      formatCount(row.outputTokens),
      ...(row.dollars === null
        ? ['no price', '', '']
        : [row.dollars.low, row.dollars.expected, row.dollars.high].map(formatDollars)),
      timeOf(row),
    ]),
  );
  const total = `${formatDollars(dollars.expected)} expected, ${formatDollars(dollars.low)} to ${formatDollars(dollars.high)}`;
  const rest = unpriced.length === 0 ? '' : `; and what ${unpriced.join(', ')} cost${unpriced.length === 1 ? 's' : ''}`;
  process.stdout.write(`\n${total}${rest}; answers that were paid before are not paid again\n`);
  for (const warning of warnings) process.stdout.write(`warning: ${warning}\n`);
}

function timeOf({ minutes, batchFiles }: StepPrice): string {
  if (batchFiles > 0) return `${batchFiles} ${batchFiles === 1 ? 'batch' : 'batches'}`;
  return minutes === null ? '' : formatDuration(minutes * 60);
}
