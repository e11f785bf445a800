import {
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  Decimation,
  Filler,
  Legend,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  RadarController,
  RadialLinearScale,
  Tooltip,
} from 'chart.js';
import { markLines, whiskers } from './plot-marks.mjs';

Chart.register(BarController, BarElement, CategoryScale, Decimation, Filler, Legend, LinearScale, LineController);
Chart.register(LineElement, PointElement, RadarController, RadialLinearScale, Tooltip);

/** Pixels of a bar with the room about it. */
const BAR = 17;

/** Draws each plot on the canvas that names it, and says there how many points it drew. */
export function drawPlots(plots) {
  const colors = colorsOf();
  Chart.defaults.color = colors.soft;
  Chart.defaults.borderColor = colors.line;
  Chart.defaults.font.family = 'system-ui, sans-serif';
  Chart.defaults.font.size = 12;
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;
  const kinds = { lines, bars, intervals, radar };
  return [...document.querySelectorAll('canvas[data-plot]')].map((canvas) => {
    const plot = plots[Number(canvas.dataset.plot)];
    const chart = new Chart(canvas, kinds[plot.kind](plot, colors, canvas));
    canvas.dataset.drawn = chart.data.datasets.map((dataset) => (dataset.whole ?? dataset.data).length).join(' ');
    return chart;
  });
}

/** What the sheet's variables mean in the scheme of now. */
function colorsOf() {
  const probe = document.createElement('span');
  document.body.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ['text', 'soft', 'line', 'card', 'warn'];
  const colors = Object.fromEntries(names.map((name) => [name, read(name)]));
  const series = Array.from({ length: 6 }, (_, at) => read(`plot-${at}`));
  probe.remove();
  return { ...colors, of: (at) => series[at % series.length] };
}

/** The same colour with this opacity. */
function washed(color, opacity) {
  return color.replace(/^rgb\((.*)\)$/, `rgba($1, ${opacity})`);
}

const shown = (value) =>
  value === null ? 'none' : Number(value.toPrecision(4)).toLocaleString('en-US', { maximumFractionDigits: 9 });

/** A value on an axis: 2e-5 where decimals would be mostly zeros. */
function tick(value) {
  return value !== 0 && Math.abs(value) < 0.001
    ? String(Number(value.toPrecision(2)).toExponential()).replace('e-', 'e\u2212')
    : value.toLocaleString('en-US', { maximumFractionDigits: 4 });
}

/** A legend only where there is something to tell apart. */
function legend(series, colors, reverse = false) {
  const labels = { boxWidth: 10, boxHeight: 10, color: colors.text, padding: 12, useBorderRadius: true, borderRadius: 3 };
  return { display: series.length > 1, position: 'top', align: 'start', reverse, labels };
}

function tooltip(colors, label) {
  const { card, text, line } = colors;
  const look = {
    backgroundColor: card,
    titleColor: text,
    bodyColor: text,
    borderColor: line,
    borderWidth: 1,
    padding: 10,
    boxPadding: 5,
  };
  return { ...look, callbacks: { label } };
}

function lines({ series, marks, maxX }, colors) {
  const datasets = series.map(({ name, points }, at) => {
    const data = points.map(([x, y]) => ({ x, y }));
    const isFew = data.length < 40;
    return {
      label: name,
      data,
      whole: data,
      borderColor: colors.of(at),
      backgroundColor: colors.of(at),
      borderWidth: data.length > 2000 ? 1 : 1.75,
      pointRadius: data.length === 1 ? 4 : isFew ? 2 : 0,
      pointHitRadius: 8,
      pointHoverRadius: 4,
      tension: 0,
      clip: 6,
    };
  });
  const label = ({ dataset, parsed }) => `${dataset.label}  ${shown(parsed.y)}`;
  const title = ([first]) => (first === undefined ? '' : `step ${first.parsed.x.toLocaleString('en-US')}`);
  const hint = tooltip(colors, label);
  return {
    type: 'line',
    data: { datasets },
    plugins: [markLines(marks, colors)],
    options: {
      parsing: false,
      normalized: true,
      interaction: { mode: 'index', axis: 'x', intersect: false },
      scales: {
        x: {
          type: 'linear',
          min: 0,
          max: maxX > 0 ? maxX : undefined,
          grid: { display: false },
          ticks: { maxTicksLimit: 7, maxRotation: 0 },
        },
        y: { grid: { color: colors.line }, border: { display: false }, ticks: { maxTicksLimit: 6, callback: tick } },
      },
      plugins: {
        legend: legend(series, colors),
        decimation: { enabled: true, algorithm: 'lttb', samples: 600, threshold: 1500 },
        tooltip: { ...hint, callbacks: { ...hint.callbacks, title } },
      },
    },
  };
}

/** What names a bar, cut to the room that a canvas of this width has for it. */
function cut(canvas, names) {
  const most = Math.max(12, Math.floor(canvas.parentElement.clientWidth / 21));
  return names.map((name) => name.split('\n').map((line) => (line.length > most ? `${line.slice(0, most - 1)}…` : line)));
}

/** Makes room for as many bars as there are. */
function room(canvas, bars, hasLegend) {
  canvas.parentElement.style.height = `${Math.max(96, bars * BAR + (hasLegend ? 74 : 44))}px`;
}

function bars({ series, names, lying, stacked, unit }, colors, canvas) {
  const isBlocks = series.some(({ name }) => name.includes('\n'));
  if (lying) room(canvas, names.length * 2.1 * (stacked ? 1 : series.length), series.length > 1 && !isBlocks);
  const datasets = series.map(({ name, values }, at) => ({
    label: name,
    data: values,
    backgroundColor: colors.of(at),
    borderColor: colors.card,
    borderWidth: stacked ? { right: lying ? 1.5 : 0, top: lying ? 0 : 1 } : 0,
    borderRadius: 2,
    maxBarThickness: 26,
    categoryPercentage: 0.82,
    barPercentage: 0.92,
  }));
  const value = {
    beginAtZero: true,
    stacked,
    grid: { color: colors.line },
    border: { display: false },
    ticks: { maxTicksLimit: 6, callback: (value) => `${tick(value)}${unit === '' ? '' : ` ${unit}`}` },
  };
  const name = { stacked, grid: { display: false }, ticks: { color: colors.text, autoSkip: !lying, maxRotation: 0 } };
  const label = ({ dataset, dataIndex, raw }) =>
    `${isBlocks ? dataset.label.split('\n')[dataIndex] : dataset.label}  ${shown(raw)} ${unit}`;
  return {
    type: 'bar',
    data: { labels: lying ? cut(canvas, names) : names, datasets },
    options: {
      indexAxis: lying ? 'y' : 'x',
      interaction: isBlocks ? { mode: 'nearest', axis: 'xy', intersect: true } : { mode: 'index', intersect: false },
      scales: lying ? { x: value, y: name } : { x: name, y: value },
      plugins: { legend: isBlocks ? { display: false } : legend(series, colors), tooltip: tooltip(colors, label) },
    },
  };
}

function intervals({ series, names, scale, unit, reference }, colors, canvas) {
  room(canvas, names.length * (series.length * 1.25 + 0.9), series.length > 1);
  const datasets = series.map(({ name, values }, at) => ({
    label: name,
    data: values.map((each) => each?.[0] ?? null),
    spans: values.map((each) => (each === null || each[1] === null ? undefined : [each[1], each[2]])),
    backgroundColor: washed(colors.of(at), 0.72),
    borderRadius: 3,
    maxBarThickness: 17,
    categoryPercentage: 0.8,
    barPercentage: 0.86,
  }));
  const label = ({ dataset, dataIndex, raw }) => {
    const span = dataset.spans[dataIndex];
    return `${dataset.label}  ${shown(raw)}${unit}${span === undefined ? '' : `  (${shown(span[0])} to ${shown(span[1])})`}`;
  };
  return {
    type: 'bar',
    data: { labels: cut(canvas, names), datasets },
    plugins: [whiskers(colors, reference)],
    options: {
      indexAxis: 'y',
      base: Math.max(scale[0], 0),
      interaction: { mode: 'index', axis: 'y', intersect: false },
      scales: {
        x: {
          ...(reference === undefined ? { min: scale[0], max: scale[1] } : { suggestedMin: scale[0], suggestedMax: scale[1] }),
          grid: { color: colors.line },
          border: { display: false },
          ticks: { maxTicksLimit: 6, callback: (value) => `${tick(value)}${unit}` },
        },
        y: { grid: { display: false }, ticks: { color: colors.text, autoSkip: false } },
      },
      plugins: { legend: legend(series, colors), tooltip: tooltip(colors, label) },
    },
  };
}

/** The band of a series is two outlines of its own, the upper one filled down to the lower. */
function radar({ series, spokes, scale }, colors) {
  const datasets = series.flatMap(({ name, values }, at) => {
    const color = colors.of(at);
    const edge = (end) => values.map((each) => each?.[end] ?? each?.[0] ?? null);
    const band = { borderWidth: 0, pointRadius: 0, pointHitRadius: 0, isBand: true };
    return [
      { label: name, data: edge(0), borderColor: color, backgroundColor: color, borderWidth: 2, pointRadius: 2.5, fill: false },
      { ...band, label: `${name} from`, data: edge(1), fill: false },
      { ...band, label: `${name} to`, data: edge(2), fill: '-1', backgroundColor: washed(color, 0.16) },
    ];
  });
  const label = ({ dataset, raw }) => `${dataset.label}  ${shown(raw)}`;
  const own = legend(series, colors);
  const isBand = ({ datasetIndex }) => datasets[datasetIndex].isBand === true;
  return {
    type: 'radar',
    data: { labels: spokes, datasets },
    options: {
      interaction: { mode: 'index', intersect: false },
      scales: {
        r: {
          min: scale[0],
          max: scale[1],
          grid: { color: colors.line },
          angleLines: { color: colors.line },
          pointLabels: { color: colors.text, font: { size: 12.5 } },
          ticks: { backdropColor: 'transparent', maxTicksLimit: 5, showLabelBackdrop: false },
        },
      },
      plugins: {
        legend: { ...own, labels: { ...own.labels, filter: (item) => !isBand(item) } },
        tooltip: { ...tooltip(colors, label), filter: (item) => !isBand(item) },
      },
    },
  };
}
