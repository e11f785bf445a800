import { formatNumber } from '../../render/format.ts';
import { type Html, html } from '../html.ts';
import { nameOf, type ReportArtifact } from './facts.ts';
import type { FeedbackTables } from './feedback-tables.ts';
import type { BarsPlot } from './plots.ts';
import { dataTable, type PlotList, type Section } from './section.ts';

export function feedbackSection(artifacts: readonly ReportArtifact[], plots: PlotList): Section | undefined {
  const parts = artifacts.flatMap((artifact) =>
    artifact.feedback === undefined ? [] : [partOf(nameOf(artifact), artifact.feedback, plots)],
  );
  return parts.length === 0 ? undefined : { id: 'feedback', title: 'Feedback', body: html`${parts}` };
}

function partOf(name: string, tables: FeedbackTables, plots: PlotList): Html {
  return html`
<h3>${name}</h3><div class="plots">${ratings(tables, plots)}${margins(tables, plots)}${models(tables, plots)}</div>`;
}

function ratings({ ratings: byAspect }: FeedbackTables, plots: PlotList): Html | undefined {
  const aspects = Object.entries(byAspect);
  if (aspects.length === 0) return undefined;
  const values = [...new Set(aspects.flatMap(([, counts]) => counts.map(([value]) => value)))].sort((a, b) => a - b);
  const series = aspects.map(([aspect, counts]) => {
    const of = new Map(counts);
    return { name: aspect.replaceAll('_', ' '), values: values.map((value) => of.get(value) ?? 0) };
  });
  const label = `How often judges gave each rating, by aspect: ${series.map(({ name }) => name).join(', ')}`;
  return barFigure({ label, names: values.map(formatNumber), series }, 'Ratings by aspect', 'rating', plots);
}

function margins({ margins: { histogram, step, mean } }: FeedbackTables, plots: PlotList): Html | undefined {
  if (histogram.length === 0) return undefined;
  const [low, high] = [histogram[0]?.[0] ?? 0, histogram.at(-1)?.[0] ?? 0];
  const of = new Map(histogram.map(([from, count]) => [Math.round(from / step), count]));
  const bins = Array.from({ length: Math.min(400, Math.round((high - low) / step) + 1) }, (_, at) => Math.round(low / step) + at);
  const series = [{ name: 'pairs', values: bins.map((bin) => of.get(bin) ?? 0) }];
  const label = `Margins of the pairs in bins of ${step}, from ${formatNumber(low)} to ${formatNumber(high)}, mean ${mean === null ? 'unknown' : formatNumber(mean)}`;
  const caption = mean === null ? 'Margins of the pairs' : `Margins of the pairs, mean ${formatNumber(mean)}`;
  return barFigure({ label, names: bins.map((bin) => formatNumber(bin * step)), series }, caption, 'margin from', plots);
}

function models({ models: all }: FeedbackTables, plots: PlotList): Html | undefined {
  if (all.length === 0) return undefined;
  const series = [
    { name: 'chosen', values: all.map(({ chosen }) => chosen) },
    { name: 'rejected', values: all.map(({ rejected }) => rejected) },
    { name: 'in no pair', values: all.map(({ answers, chosen, rejected }) => Math.max(0, answers - chosen - rejected)) },
  ];
  const label = `Answers of each model that were chosen, rejected or in no pair`;
  const plot = { label, names: all.map(({ model }) => model.split('/').at(-1) as string), series, lying: true, stacked: true };
  return barFigure(plot, 'Answers by model', 'model', plots);
}

type Bars = Pick<BarsPlot, 'label' | 'names' | 'series'> & Partial<Pick<BarsPlot, 'lying' | 'stacked'>>;

function barFigure(bars: Bars, caption: string, first: string, plots: PlotList): Html {
  const { label, names, series } = bars;
  const headings = [{ title: first }, ...series.map(({ name }) => ({ title: name, numeric: true }))];
  const rows = names.map((name, at) => [name, ...series.map(({ values }) => formatNumber(values[at] ?? 0))]);
  const plot: BarsPlot = { kind: 'bars', lying: false, stacked: false, unit: '', ...bars };
  return plots.figure(plot, caption, dataTable(headings, rows, label));
}
