import { formatNumber } from '../../render/format.ts';
import { type Html, html } from '../html.ts';
import type { CurvePanel, TrainingCurves } from './curves.ts';
import type { ReportArtifact, ReportFacts } from './facts.ts';
import { fiveDigits, type LinesPlot } from './plots.ts';
import { dataTable, type PlotList, type Section, spread } from './section.ts';

/** Rows of the table below a curve. */
const SHOWN = 24;

export function trainingSection(facts: ReportFacts, trainings: readonly TrainingCurves[], plots: PlotList): Section | undefined {
  const trained = facts.artifacts.filter(({ manifest }) => typeof manifest?.metrics.train_loss === 'number');
  const withoutLog = trained.filter(({ id }) => !trainings.some((training) => training.id === id));
  if (trainings.length === 0 && withoutLog.length === 0) return undefined;
  const body = html`${trainings.map((training) => trainingPart(facts, training, plots))}${withoutLog.map(withoutCurves)}${checks(facts)}`;
  return { id: 'training', title: 'Training', body };
}

function trainingPart({ artifacts }: ReportFacts, training: TrainingCurves, plots: PlotList): Html {
  const { stage, step, id, maxSteps, resumes, panels } = training;
  const manifest = artifacts.find((artifact) => artifact.id === id)?.manifest;
  const resumed = resumes.length === 0 ? undefined : html`<p class="mark">${resumedText(resumes)}</p>`;
  return html`
<h3>${stage} <small>${step}, ${formatNumber(maxSteps)} steps</small></h3>${resumed}${finals(manifest?.metrics ?? {})}
<div class="plots">${panels.map((panel) => figureOf(panel, training, plots))}</div>`;
}

export function resumedText(resumes: readonly number[]): string {
  const places = resumes.map((at) => (at === 0 ? 'from the beginning' : `from step ${formatNumber(at)}`));
  return `Interrupted ${resumes.length === 1 ? 'once' : `${resumes.length} times`}, went on ${places.join(', ')}; dashed lines mark where.`;
}

function figureOf({ title, curves }: CurvePanel, { stage, maxSteps, resumes }: TrainingCurves, plots: PlotList): Html {
  const series = curves.map(({ metric, points }) => ({
    name: metricName(metric),
    points: points.map(([at, value]) => [at, fiveDigits(value)] as const),
  }));
  const spans = series.map(({ name, points }) => `${name} from ${shown(points[0])} to ${shown(points.at(-1))}`);
  const plot: LinesPlot = {
    kind: 'lines',
    label: `${title} of ${stage} over steps: ${spans.join('; ')}`,
    series,
    marks: resumes,
    maxX: maxSteps,
  };
  return plots.figure(plot, title, pointsTable(series, `${title} of ${stage}`));
}

const shown = (point: readonly [number, number] | undefined): string => (point === undefined ? '' : formatNumber(point[1]));

function pointsTable(series: LinesPlot['series'], label: string): Html {
  const steps = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b);
  const few = spread(steps, SHOWN);
  const values = series.map(({ points }) => new Map(points));
  const rows = few.map((at) => [formatNumber(at), ...values.map((of) => (of.has(at) ? formatNumber(of.get(at) as number) : ''))]);
  const headings = ['step', ...series.map(({ name }) => name)].map((title) => ({ title, numeric: true }));
  const note =
    few.length < steps.length ? html`<p class="soft">${few.length} of ${formatNumber(steps.length)} steps</p>` : undefined;
  return html`${dataTable(headings, rows, label)}${note}`;
}

/** A metric as a reader says it: `held out: chosen` of `eval_rewards/chosen`. */
export function metricName(metric: string): string {
  const plain = metric.replace(/^eval_/, '').replace(/^(rewards|logps|objective)\//, '');
  return `${metric.startsWith('eval_') ? 'held out: ' : ''}${plain.replaceAll('_', ' ')}`;
}

function finals(metrics: Readonly<Record<string, unknown>>): Html {
  const values = Object.entries(metrics).flatMap(([name, value]) => (typeof value === 'number' ? [[name, value] as const] : []));
  return html`<dl class="facts">${values.map(([name, value]) => html`<div><dt>${wholeName(name)}</dt><dd>${formatNumber(value)}</dd></div>`)}</dl>`;
}

/** As `metricName`, where no title says of what: `held out: reward of chosen`. */
function wholeName(metric: string): string {
  const of = /(?:^|_)(reward|logp)s\/(chosen|rejected)$/.exec(metric);
  if (of === null) return metricName(metric);
  return `${metric.startsWith('eval_') ? 'held out: ' : ''}${of[1] === 'reward' ? 'reward' : 'log-probability'} of ${of[2]}`;
}

function withoutCurves({ manifest }: ReportArtifact): Html {
  return html`
<h3>${manifest?.stage} <small>${manifest?.step}</small></h3><p class="soft">The log of its run is not on this Hub, so there are no curves; this is what its manifest records.</p>${finals(manifest?.metrics ?? {})}`;
}

function checks({ checks: found, artifacts }: ReportFacts): Html | undefined {
  if (found.length === 0) return undefined;
  const rows = found.map(({ of, name, value, expected, ok, meaning }) => [
    ok === null ? 'beside it' : html`<span class="${ok ? 'good' : 'bad'}">${ok ? 'as expected' : 'look here'}</span>`,
    artifacts.find(({ id }) => id === of)?.manifest?.stage ?? '',
    name,
    value,
    expected,
    ok === true ? '' : meaning,
  ]);
  const titles = ['', 'stage', 'check', 'value', 'expected', 'likely means'];
  return html`<h3>Is it what such a training shows?</h3>${dataTable(
    titles.map((title) => ({ title })),
    rows,
    'training checks',
  )}`;
}
