import { contaminationLines } from '../../evaluations/contamination.ts';
import { publishedValues } from '../../evaluations/published.ts';
import { formatNumber } from '../../render/format.ts';
import { type Html, html } from '../html.ts';
import {
  betweenText,
  factorOf,
  type Gain,
  gainsOf,
  groupIntervals,
  intervalOf,
  type MeasuredBenchmark,
  measuredBenchmarks,
  measuredText,
  plotted,
  signedText,
  unitOf,
} from './benchmarks.ts';
import { modelOf, nameOf, type ReportFacts } from './facts.ts';
import type { IntervalsPlot, PlottedValue } from './plots.ts';
import { copyable, dataTable, type PlotList, type Section } from './section.ts';

/** Categories from which on, and up to which, they are spokes of a radar, and the items that each has at least. */
const SPOKES = { least: 3, most: 12, items: 5 };

export function benchmarkSections(facts: ReportFacts, plots: PlotList): Section[] {
  const benchmarks = measuredBenchmarks(facts);
  if (benchmarks.length === 0) return [];
  const gains = gainsOf(benchmarks);
  const body = html`<div class="plots">${valueFigures(benchmarks, plots)}</div>${gainsPart(gains, plots)}
<div class="plots">${benchmarks.flatMap((benchmark) => radar(benchmark, plots) ?? [])}</div>`;
  return [
    { id: 'benchmarks', title: 'How good it is', body },
    { id: 'protocols', title: 'How it was measured', body: html`${protocols(benchmarks)}${seen(facts)}${published(benchmarks)}` },
  ];
}

/** One figure for each scale, since a mark of ten and a share have no axis in common. */
function valueFigures(benchmarks: readonly MeasuredBenchmark[], plots: PlotList): Html[] {
  const byScale = Map.groupBy(benchmarks, ({ scale }) => scale.join(' to '));
  return [...byScale.values()].map((members) => {
    const { scale } = members[0] as MeasuredBenchmark;
    const models = [...new Set(members.flatMap((each) => each.models.map(({ model }) => model)))];
    const measuredAt = (benchmark: MeasuredBenchmark, model: string): PlottedValue | null => {
      const found = benchmark.models.find((each) => each.model === model);
      return found === undefined ? null : intervalOf(found.benchmark);
    };
    const plot: IntervalsPlot = {
      kind: 'intervals',
      label: `${members.map(({ title }) => title).join(', ')} of ${models.join(', ')}, with 95 % intervals`,
      names: members.map(({ title }) => title),
      series: models.map((name) => ({ name, values: members.map((benchmark) => measuredAt(benchmark, name)) })),
      scale: [factorOf(scale) * scale[0], factorOf(scale) * scale[1]],
      unit: unitOf(scale),
    };
    const caption = html`${members.map(({ title }) => title).join(', ')} <small>bars end at the value, whiskers at its 95 % interval</small>`;
    return plots.figure(plot, caption, valueTable(members));
  });
}

function valueTable(benchmarks: readonly MeasuredBenchmark[]): Html {
  const headings = ['benchmark', 'model', 'metric', 'value', '95 % interval', 'standard error', 'items', 'left out'];
  const rows = benchmarks.flatMap(({ title, metric, scale, models }) =>
    models.map(({ model, benchmark: { value, estimate, n, dropped } }) => [
      title,
      model,
      metric,
      value === null ? 'none' : measuredText(value, scale),
      betweenText(estimate, (each) => measuredText(each, scale)),
      estimate === null ? '' : measuredText(estimate.standardError, scale),
      formatNumber(n),
      formatNumber(Object.values(dropped).reduce((sum, count) => sum + count, 0)),
    ]),
  );
  return dataTable(
    headings.map((name, at) => ({ title: name, numeric: at > 2 })),
    rows,
    'values of the benchmarks',
  );
}

function gainsPart(gains: readonly Gain[], plots: PlotList): Html | undefined {
  if (gains.length === 0) return undefined;
  const compared = gains.filter(({ paired }) => paired !== null);
  const headings = ['benchmark', 'over', 'gain', '95 % interval', 'p', 'better, worse, even', 'least that would show'];
  const rows = gains.map(({ title, scale, over, paired, differs }) =>
    paired === null
      ? [
          title,
          over,
          html`<span class="warn">not comparable${differs === undefined ? ': fewer than two items in common' : `: ${differs} differs`}</span>`,
          '',
          '',
          '',
          '',
        ]
      : [
          title,
          over,
          signedText(paired.mean, scale),
          betweenText(paired, (each) => signedText(each, scale)),
          paired.p.toFixed(3),
          `${paired.wins}, ${paired.losses}, ${paired.ties}`,
          measuredText(paired.detectable, scale),
        ],
  );
  const table = dataTable(
    headings.map((name, at) => ({ title: name, numeric: at > 1 })),
    rows,
    'paired differences',
  );
  if (compared.length === 0) return html`<h3>Against the models that it was made from</h3>${table}`;
  return html`<h3>Against the models that it was made from <small>item by item</small></h3><div class="plots">${gainFigures(compared, plots, table)}</div>`;
}

function gainFigures(gains: readonly Gain[], plots: PlotList, table: Html): Html[] {
  return [...Map.groupBy(gains, ({ scale }) => scale.join(' to ')).values()].map((members) => {
    const { scale } = members[0] as Gain;
    const factor = factorOf(scale);
    const values = members.map(({ paired }): PlottedValue | null =>
      paired === null ? null : plotted(paired.mean, paired, factor),
    );
    const reach = Math.max(
      ...values.flatMap((value) => (value === null ? [] : value.map((each) => Math.abs(each ?? 0)))),
      factor / 100,
    );
    const plot: IntervalsPlot = {
      kind: 'intervals',
      label: `Paired differences with 95 % intervals: ${members.map(({ title, over }) => `${title} over ${over}`).join(', ')}`,
      names: members.map(({ title, over }) => `${title}\nover ${over}`),
      series: [{ name: 'gain', values }],
      scale: [Math.min(0, ...values.map((value) => value?.[1] ?? 0)) < 0 ? -reach : 0, reach],
      unit: unitOf(scale) === '' ? '' : ' points',
      reference: 0,
    };
    return plots.figure(plot, html`Gain <small>mean difference on the same items, with its 95 % interval</small>`, table);
  });
}

function radar({ title, scale, models }: MeasuredBenchmark, plots: PlotList): Html | undefined {
  const spokes = [...new Set(models.flatMap(({ benchmark }) => Object.keys(benchmark.groups)))];
  const sizes = models.flatMap(({ benchmark }) => Object.values(benchmark.groups).map(({ n }) => n));
  if (spokes.length < SPOKES.least || spokes.length > SPOKES.most || Math.min(...sizes) < SPOKES.items) return undefined;
  const series = models.map((measured) => {
    const values = groupIntervals(measured);
    return { name: measured.model, values: spokes.map((spoke) => values[spoke] ?? null) };
  });
  const factor = factorOf(scale);
  const label = `${title} by category: ${spokes.join(', ')}`;
  const text = (interval: PlottedValue | null) => {
    if (interval === null) return 'none';
    const [value, low, high] = interval.map((each) => (each === null ? null : measuredText(each / factor, scale)));
    return low === null || high === null ? (value as string) : `${value} (${low} to ${high})`;
  };
  const rows = spokes.map((spoke, at) => [spoke, ...series.map(({ values }) => text(values[at] ?? null))]);
  const headings = [{ title: 'category' }, ...series.map(({ name }) => ({ title: name, numeric: true }))];
  return plots.figure(
    { kind: 'radar', label, spokes, scale: [factor * scale[0], factor * scale[1]], series },
    html`${title} by category <small>bands are 95 % intervals</small>`,
    dataTable(headings, rows, label),
  );
}

function protocols(benchmarks: readonly MeasuredBenchmark[]): Html {
  const parts = benchmarks.map(({ title, models }) => {
    const members = [...new Set(models.flatMap(({ benchmark }) => Object.keys(benchmark.protocol)))];
    const rows = members.map((member) => [member, ...models.map(({ benchmark }) => plain(benchmark.protocol[member]))]);
    const notes = [...new Set(models.flatMap(({ benchmark }) => benchmark.notes))];
    const headings = ['', ...models.map(({ model }) => model)].map((name) => ({ title: name }));
    return html`<details><summary>${title}</summary>${notes.length === 0 ? undefined : html`<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`}${dataTable(headings, rows, `protocol of ${title}`)}</details>`;
  });
  const evaluations = [...new Set(benchmarks.flatMap(({ models }) => models.map(({ id }) => id)))];
  return html`<p>Two values are compared where every line of their protocols is the same. The answers and scores of each item lie in the evaluations:</p><ul>${evaluations.map((id) => html`<li>${copyable(id)}</li>`)}</ul>${parts}`;
}

function plain(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function seen({ contamination, artifacts }: ReportFacts): Html | undefined {
  const model = modelOf({ artifacts });
  if (contamination.length === 0 || model === undefined) return undefined;
  const lines = contaminationLines(nameOf(model), contamination);
  return html`<h3>Had it seen the questions?</h3><ul>${lines.map((line) => html`<li>${line}</li>`)}</ul>`;
}

/** Values of others stand apart: another judge or harness gives another number. */
function published(benchmarks: readonly MeasuredBenchmark[]): Html | undefined {
  const rows = benchmarks.flatMap(({ name, title, scale }) =>
    publishedValues([name]).map(({ model, value, measuredBy, source, note }) => [
      title,
      model,
      measuredText(value, scale),
      [measuredBy, source, ...(note === undefined ? [] : [note])].join('; '),
    ]),
  );
  if (rows.length === 0) return undefined;
  const headings = ['benchmark', 'model', 'value', 'measured by, source'].map((name, at) => ({ title: name, numeric: at === 2 }));
  return html`<h3>What others published</h3><p class="soft">Other judges and harnesses measured these: they are not to be subtracted from the values above.</p><details><summary>${rows.length} values</summary>${dataTable(headings, rows, 'published by others')}</details>`;
}
