import { formatDollars, formatDuration } from '../../render/format.ts';
import { html } from '../html.ts';
import { byStage, type StepEffort } from './effort.ts';
import type { BarsPlot } from './plots.ts';
import { dataTable, type PlotList, type Section } from './section.ts';

export function effortSection(efforts: readonly StepEffort[], plots: PlotList): Section | undefined {
  if (efforts.length === 0) return undefined;
  const stages = byStage(efforts);
  const longest = Math.max(...stages.map(({ seconds }) => seconds));
  const [unit, divisor] = longest > 2 * 3600 ? ['h', 3600] : longest > 120 ? ['min', 60] : ['s', 1];
  const plot: BarsPlot = {
    kind: 'bars',
    label: `Time by stage: ${stages.map(({ stage, seconds }) => `${stage} ${formatDuration(seconds)}`).join(', ')}`,
    lying: true,
    stacked: true,
    names: stages.map(({ stage, seconds, costUsd }) => `${stage}\n${formatDuration(seconds)}, ${formatDollars(costUsd)}`),
    series: stackedSteps(efforts, stages, divisor),
    unit,
  };
  const rows = efforts.map(({ stage, step, where, seconds, costUsd, attempts, setbacks }) => [
    `${stage}/${step}`,
    where,
    seconds === null ? 'unknown' : formatDuration(seconds),
    formatDollars(costUsd),
    attempts === 0 ? '' : String(attempts),
    setbacks.join(', '),
  ]);
  const titles = ['step', 'where', 'time', 'cost', 'jobs', 'ended early'];
  const headings = titles.map((title) => ({ title, numeric: ['time', 'cost', 'jobs'].includes(title) }));
  const body = html`<div class="plots wide">${plots.figure(plot, 'Time by stage, a block for each step', dataTable(headings, rows, 'time and cost by step'))}</div>
<p class="soft">Time is that of the jobs and tasks themselves, all attempts together; cost is what calls to teachers were billed, own hardware counts as nothing.</p>`;
  return { id: 'effort', title: 'Time and cost', body };
}

/** The n-th step of each stage is the n-th block of its bar. */
function stackedSteps(
  efforts: readonly StepEffort[],
  stages: readonly { stage: string; steps: number }[],
  divisor: number,
): BarsPlot['series'] {
  const most = Math.max(...stages.map(({ steps }) => steps));
  const of = Map.groupBy(efforts, ({ stage }) => stage);
  return Array.from({ length: most }, (_, at) => ({
    name: stages.map(({ stage }) => of.get(stage)?.[at]?.step ?? '').join('\n'),
    values: stages.map(({ stage }) => {
      const seconds = of.get(stage)?.[at]?.seconds ?? null;
      return seconds === null ? null : Number((seconds / divisor).toPrecision(4));
    }),
  }));
}
