import { datasetCard, markdownTable } from '../../../datasets/card.ts';
import { COMPLETIONS_FILE, pairsFile, RATINGS_FILE } from '../tables.ts';
import type { Spending } from './origin.ts';
import type { Histogram } from './rating-statistics.ts';
import type { Report } from './report.ts';

/** The card of the published dataset: its report in words and tables. The engine adds inputs, fingerprint and version. */
export function pairsCard(report: Report, spending: readonly Spending[]): string {
  const about = [
    'Pairs of a better and a worse answer (`train_prefs`, `test_prefs`), with all answers (`completions`) and every single rating (`ratings`) behind them, so that anyone can choose another rule.',
    madeHow(report),
    counts(report),
    origins(report),
    judges(report),
    ratings(report),
    bias(report),
    checks(report),
    cost(spending),
  ];
  return datasetCard('Preferences', about.filter((part) => part !== '').join('\n\n'), {
    default: { train_prefs: pairsFile('train_prefs'), test_prefs: pairsFile('test_prefs') },
    completions: { train: COMPLETIONS_FILE },
    ratings: { train: RATINGS_FILE },
  });
}

function madeHow({ rule }: Report): string {
  const lines: [string, string | number][] = [
    ['score', rule.score],
    ...(rule.score === 'weighted' ? ([['weights', JSON.stringify(rule.weights)]] as [string, string][]) : []),
    ['aspects', rule.aspects.join(', ') || 'none'],
    ['length taken out of the score', rule.length_residual ? 'yes' : 'no'],
    [
      'rejected',
      rule.margin_band === null ? rule.rejected : `${rule.rejected}, ${rule.margin_band.min} to ${rule.margin_band.max}`,
    ],
    ['ties', rule.ties],
    ['least margin', rule.min_margin],
    ['least score of the chosen answer', rule.min_chosen ?? 'none'],
    ['same when cut by the trainer', `${rule.same_when_cut} (estimated at ${rule.trainer.max_length} tokens)`],
    ['seed', rule.seed],
  ];
  return `## How the pairs were made\n\n${markdownTable(['rule', 'value'], lines)}`;
}

function counts(report: Report): string {
  const dropped = Object.entries(report.dropped);
  const left = Object.entries(report.answers_left_out);
  return [
    '## Counts',
    `${report.prompts} prompts with ${report.answers} answers gave ${report.pairs} pairs: ${report.train_prefs} in \`train_prefs\`, ${report.test_prefs} in \`test_prefs\`.`,
    dropped.length === 0 ? 'No prompt was dropped.' : markdownTable(['prompts dropped', 'count'], dropped),
    left.length === 0 ? '' : markdownTable(['answers that win and lose nothing', 'count'], left),
    Object.keys(report.pair_flags).length === 0
      ? ''
      : markdownTable(['pairs flagged', 'count'], Object.entries(report.pair_flags)),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function origins({ sources, models }: Report): string {
  const prompts = markdownTable(
    ['source of prompts', 'licence', 'prompts', 'pairs'],
    sources.map((each) => [each.safety ? `${each.source} (safety)` : each.source, each.licence, each.prompts, each.pairs]),
  );
  const answers = markdownTable(
    ['generating model', 'licence', 'answers', 'flagged', 'unscored', 'chosen', 'rejected'],
    models.map((each) => [
      each.model === each.member ? each.model : `${each.model} (${each.member})`,
      each.licence,
      ...[each.answers, each.flagged, each.unscored, each.chosen, each.rejected],
    ]),
  );
  return `## Sources and licences\n\nEach part is under the licence of what made it; \`unknown\` is what the recipe does not say.\n\n${prompts}\n\n${answers}`;
}

function judges({ judges: rows }: Report): string {
  if (rows.length === 0) return '';
  const table = markdownTable(
    ['judge', 'aspect', 'template', 'sha256', 'ratings', 'read', 'no number: does not apply', 'unreadable'],
    rows.map((each) => {
      const read = each.by_status.ok ?? 0;
      const template = [each.template_id ?? '-', each.template_sha256?.slice(0, 16) || '-'];
      return [each.judge, each.aspect, ...template, each.ratings, read, each.not_applicable, each.ratings - read];
    }),
  );
  return `## Judges\n\nNo rating was made up: an answer without a full set has no score.\n\n${table}`;
}

function ratings({ ratings: byAspect, margins }: Report): string {
  const blocks = Object.entries(byAspect).map(([aspect, bins]) => {
    const decimals = bins.every(([value]) => Number.isInteger(value)) ? 0 : 1;
    return [aspect, ...textHistogram(bins, decimals)].join('\n');
  });
  const decimals = String(margins.step).split('.')[1]?.length ?? 0;
  const margin = ['margin', ...textHistogram(margins.histogram, decimals)].join('\n');
  return `## Ratings and margins\n\n\`\`\`text\n${[...blocks, margin].join('\n\n')}\n\`\`\`\n\nMean margin ${margins.mean.toFixed(3)}.`;
}

function bias({ bias: found }: Report): string {
  const { judge, score_length_correlation, length_slope_per_1000_characters } = found;
  const number = (value: number | null) => value?.toFixed(3) ?? '-';
  const rows: [string, string][] = [];
  if (judge !== null) {
    const { orders, mean_by_position, mean_by_model, length, injections, judge_family_overlap } = judge;
    if (orders.pairs > 0)
      rows.push(['two answers ranked otherwise in another order', `${percent(orders.ranked_differently)} of ${orders.pairs}`]);
    if (mean_by_position.length > 1) rows.push(['mean by place, first to last', mean_by_position.map(number).join(', ')]);
    for (const [model, mean] of Object.entries(mean_by_model)) rows.push([`mean of ${model}`, number(mean)]);
    rows.push(['rank correlation of rating and length', number(length.spearman)]);
    rows.push(['of two answers the longer one is rated higher', percent(length.longer_wins)]);
    rows.push(['answers that seem to speak to the judge', String(injections)]);
    rows.push(['families that judge their own kind', judge_family_overlap.join(', ') || 'none known']);
  }
  rows.push(['correlation of score and length', number(score_length_correlation)]);
  if (length_slope_per_1000_characters !== null)
    rows.push(['points taken off for 1,000 characters more', number(length_slope_per_1000_characters)]);
  rows.push(['chosen answer is the longer one', percent(found.chosen_longer)]);
  return `## Bias\n\n${markdownTable(['measure', 'value'], rows)}`;
}

function checks({ cross_check, contamination }: Report): string {
  const parts: string[] = [];
  if (cross_check.answers > 0)
    parts.push(
      `Of ${cross_check.answers} answers with an overall score and rated aspects, ${cross_check.contradictions} have two that lie ${cross_check.threshold} standard deviations or more apart${cross_check.contradictions === 0 ? '' : '; `cross-check.jsonl` lists them, the farthest first'}.`,
    );
  if (contamination !== null) {
    const rows = Object.entries(contamination);
    parts.push(
      rows.length === 0
        ? 'No prompt was found to hold an item of a benchmark that it was compared with.'
        : `Prompts that hold an item of a benchmark, as the prompts artifact lists them:\n\n${markdownTable(['benchmark', 'prompts'], rows)}`,
    );
  }
  return parts.length === 0 ? '' : `## Checks\n\n${parts.join('\n\n')}`;
}

function cost(spending: readonly Spending[]): string {
  if (spending.length === 0) return '';
  const tokens = (count: number | null) => (count === null ? '-' : count);
  const rows = spending.map((each) => [
    each.input,
    `$${each.costUsd.toFixed(2)}`,
    tokens(each.inputTokens),
    tokens(each.outputTokens),
  ]);
  const total = spending.reduce((sum, { costUsd }) => sum + costUsd, 0);
  return `## Cost\n\n${markdownTable(['made', 'dollars', 'tokens in', 'tokens out'], rows)}\n\n$${total.toFixed(2)} in all, whoever paid it and when; a teacher without a price in the recipe counts as nothing.`;
}

function percent(share: number | null): string {
  return share === null ? '-' : `${(100 * share).toFixed(1)} %`;
}

const WIDTH = 40;
/** An eighth to seven eighths of a cell. */
const PARTS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** Lines of bars that line up in a fixed-width font: value, count, bar. The longest bar is the largest count. */
export function textHistogram(bins: Histogram, decimals = 0): string[] {
  const values = bins.map(([value]) => value.toFixed(decimals));
  const counts = bins.map(([, count]) => count.toLocaleString('en-US'));
  const [valueWidth, countWidth] = [widest(values), widest(counts)];
  const most = Math.max(1, ...bins.map(([, count]) => count));
  return bins.map(([, count], at) => {
    const line = `${values[at]?.padStart(valueWidth)}  ${counts[at]?.padStart(countWidth)}  ${bar((WIDTH * count) / most)}`;
    return line.trimEnd();
  });
}

function bar(cells: number): string {
  const eighths = Math.round(cells * 8);
  return '█'.repeat(eighths >> 3) + (PARTS[eighths % 8] ?? '');
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => text.length));
}
