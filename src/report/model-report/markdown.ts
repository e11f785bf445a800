import { formatDollars, formatDuration, formatNumber } from '../../render/format.ts';
import { betweenText, type Gain, gainsOf, measuredBenchmarks, measuredText, signedText } from './benchmarks.ts';
import { trainingCurves } from './curves.ts';
import { byStage, effortOf } from './effort.ts';
import { modelOf, nameOf, type ReportFacts } from './facts.ts';
import { leftOutOf } from './left-out.ts';
import { resumedText } from './section-training.ts';
import { leadOf } from './summary.ts';

/** The same in a page of Markdown, as the job summaries of a CI show it: the tables, and the picture as a Mermaid graph. */
export function modelReportMarkdown(facts: ReportFacts): string {
  const parts = [
    `## ${plain(nameOf(facts.subject))}`,
    `\`${facts.subject.id}\``,
    plain(leadOf(facts)),
    benchmarkTable(facts),
    trainingTable(facts),
    effortTable(facts),
    leftOutTable(facts),
    graph(facts),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** Text that is no markup, on one line. Names of people and issues are not linked either. */
export function plain(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[\\`*_[\]<>#|~&$@]/g, (sign) => `&#${sign.codePointAt(0)};`);
}

function table(title: string, headings: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly string[]) => `| ${cells.map(plain).join(' | ')} |`;
  return [`### ${title}`, '', line(headings), `|${' --- |'.repeat(headings.length)}`, ...rows.map(line)].join('\n');
}

function benchmarkTable(facts: ReportFacts): string {
  const benchmarks = measuredBenchmarks(facts);
  const gains = gainsOf(benchmarks);
  const main = modelOf(facts);
  const rows = benchmarks.flatMap(({ title, scale, models }) =>
    models.map(({ model, benchmark: { value, estimate } }) => [
      title,
      model,
      value === null ? 'none' : measuredText(value, scale),
      betweenText(estimate, (each) => measuredText(each, scale)),
      gainText(gains.find((gain) => gain.title === title && gain.over === model)),
    ]),
  );
  return table(
    'How good it is',
    ['benchmark', 'model', 'value', '95 % interval', `${main === undefined ? 'the model' : nameOf(main)} gains over it`],
    rows,
  );
}

function gainText(gain: Gain | undefined): string {
  if (gain === undefined) return '';
  const { paired, differs, scale } = gain;
  if (paired !== null) return `${signedText(paired.mean, scale)} (${betweenText(paired, (each) => signedText(each, scale))})`;
  return differs === undefined ? 'not comparable' : `not comparable: ${differs} differs`;
}

function trainingTable(facts: ReportFacts): string {
  const rows = trainingCurves(facts).flatMap(({ stage, maxSteps, resumes, panels }) => {
    const ends = panels
      .flatMap(({ curves }) => curves)
      .map(({ metric, points }) => [metric, points[0]?.[1], points.at(-1)?.[1]] as const);
    const shown = ends.filter(([metric]) => /(^|_)loss$|margins$|accuracies$/.test(metric));
    const texts = shown.map(([metric, first, last]) => `${metric} ${formatNumber(first ?? 0)} → ${formatNumber(last ?? 0)}`);
    return [
      [
        stage,
        formatNumber(maxSteps),
        texts.join(', '),
        resumes.length === 0 ? '' : (resumedText(resumes).split(';')[0] as string),
      ],
    ];
  });
  return table('Training', ['stage', 'steps', 'first → last', 'resumed'], rows);
}

function effortTable(facts: ReportFacts): string {
  const rows = byStage(effortOf(facts)).map(({ stage, seconds, costUsd, steps }) => [
    stage,
    String(steps),
    formatDuration(seconds),
    formatDollars(costUsd),
  ]);
  return table('Time and cost', ['stage', 'steps', 'time', 'calls to teachers'], rows);
}

function leftOutTable(facts: ReportFacts): string {
  const rows = leftOutOf(facts).map(({ stage, step, of, reason, count, read }) => [
    `${stage}/${step}`,
    of,
    reason.replaceAll('_', ' '),
    read === null ? formatNumber(count) : `${formatNumber(count)} of ${formatNumber(read)}`,
  ]);
  return table('What was left out', ['step', 'of', 'why', 'how many'], rows);
}

/** Names of repos and commits have no sign that Mermaid reads as its own within quotes. */
function graph({ artifacts }: ReportFacts): string {
  const number = new Map(artifacts.map(({ id }, at) => [id, at]));
  const boxes = artifacts.map((artifact, at) => {
    const label = `${nameOf(artifact)}<br>${artifact.ref.commit.slice(0, 7)}`;
    return artifact.ref.type === 'model' ? `  a${at}(["${label}"])` : `  a${at}["${label}"]`;
  });
  const ways = artifacts.flatMap(({ inputs }, at) =>
    [...new Set(Object.values(inputs))].flatMap((input) => (number.has(input) ? [`  a${number.get(input)} --> a${at}`] : [])),
  );
  return ['### How it was made', '', '```mermaid', 'flowchart LR', ...boxes, ...ways, '```'].join('\n');
}
