import type { Estimate, PlanPrice, StepPrice } from '../plan/price.ts';
import { formatCount, formatDollars, formatDuration } from '../render/format.ts';
import { printTable } from './output.ts';

/** What teachers will be asked and what it will cost, under the table of steps. */
export async function printCosts({ rows, dollars, perThousand, unpriced, warnings }: PlanPrice): Promise<void> {
  if (rows.length === 0) return;
  process.stdout.write('\nWhat teachers will be asked, at the prices of the recipe:\n');
  const right = (title: string) => ({ title, align: 'right' as const });
  await printTable(
    [{ title: 'step' }, { title: 'teacher' }, ...['calls', 'in', 'out', 'low', 'likely', 'high', 'time'].map(right)],
    rows.map((row) => [
      row.step,
      row.teacher,
      row.calls === null ? 'later' : formatCount(row.calls),
      ...(row.calls === null ? ['', ''] : [formatCount(row.inputTokens), formatCount(row.outputTokens)]),
      ...(row.dollars === null
        ? ['', unpriced.includes(row.teacher) ? '?' : '', '']
        : [row.dollars.low, row.dollars.expected, row.dollars.high].map(aboutDollars)),
      timeOf(row),
    ]),
  );
  process.stdout.write(
    `\n${costInWords({ dollars, perThousand, unpriced })}; answers that were paid before are not paid again\n`,
  );
  for (const warning of warnings) process.stdout.write(`warning: ${warning}\n`);
}

/** `$12.00 likely, $6.00 to $24.00; and what mistral-7b costs, which has no price` */
export function costInWords({ dollars, perThousand, unpriced }: Omit<PlanPrice, 'rows' | 'warnings'>): string {
  const parts = [
    ...(dollars.high > 0 || (perThousand === null && unpriced.length === 0) ? [inWords(dollars)] : []),
    ...(perThousand === null
      ? []
      : [`${inWords(perThousand.dollars)}, for each 1,000 ${perThousand.of}, counted once they are read`]),
    ...(unpriced.length === 0
      ? []
      : [`what ${unpriced.join(', ')} cost${unpriced.length === 1 ? 's, which has' : ', which have'} no price`]),
  ];
  return parts.join('; and ');
}

function inWords({ low, expected, high }: Estimate): string {
  return `${aboutDollars(expected)} likely, ${aboutDollars(low)} to ${aboutDollars(high)}`;
}

/** An estimate is not that good: no cents from $100 on. */
function aboutDollars(dollars: number): string {
  return dollars < 100 ? formatDollars(dollars) : `$${Math.round(dollars).toLocaleString('en-US')}`;
}

function timeOf({ minutes, batchFiles }: StepPrice): string {
  if (batchFiles > 0) return `${batchFiles} ${batchFiles === 1 ? 'batch' : 'batches'}`;
  return minutes === null ? '' : formatDuration(minutes * 60);
}
