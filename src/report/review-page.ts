import { documentHead } from './document-head.ts';
import type { FeedbackRow } from './feedback-rows.ts';
import { type Html, html } from './html.ts';
import { allFlags, percent, reviewRow, rounded } from './review-row.ts';
import { REVIEW_SCRIPT } from './review-script.ts';
import { REVIEW_STYLE } from './review-style.ts';

export interface ReviewAbout {
  /** `hf://datasets/ORG/NAME@COMMIT` */
  readonly id: string;
  readonly name: string;
  /** pairs that the artifact has */
  readonly pairs: number;
  readonly seed: number;
}

/**
 * The page of these pairs, piece by piece: one file without server, without anything from elsewhere, in light and dark.
 * Widest margin first. All text of teachers and datasets is escaped, and a policy in the page forbids every script and
 * style but its own two, known by their hashes.
 */
export function* reviewPage(about: ReviewAbout, rows: readonly FeedbackRow[]): Generator<string> {
  const sorted = [...rows].sort((a, b) => (b.margin ?? Number.NEGATIVE_INFINITY) - (a.margin ?? Number.NEGATIVE_INFINITY));
  yield head(about).html;
  yield top(about, sorted).html;
  yield tools(sorted).html;
  yield '<main>';
  for (const [at, row] of sorted.entries()) yield reviewRow(row, at).html;
  yield html`
</main>
<p class="nothing" hidden>No pair fits these filters.</p>
<footer><kbd>j</kbd> and <kbd>k</kbd> go to the next and the previous pair, <kbd>d</kbd> marks differences, <kbd>r</kbd> shows reasons, <kbd>o</kbd> opens the other answers, <kbd>/</kbd> searches, <kbd>Esc</kbd> leaves a field.</footer>
<script>${{ html: REVIEW_SCRIPT }}</script>
</body>
</html>
`.html;
}

function head({ name }: ReviewAbout): Html {
  return html`${documentHead({ title: `Review of ${name}`, style: REVIEW_STYLE, script: REVIEW_SCRIPT })}
<body class="diff">`;
}

function top({ id, name, pairs, seed }: ReviewAbout, rows: readonly FeedbackRow[]): Html {
  const margins = rows.flatMap(({ margin }) => (margin === null ? [] : [margin]));
  const disagreements = rows.flatMap((row) => (row.disagreement === null ? [] : [row.disagreement]));
  const longer = rows.filter(({ lengthGap }) => lengthGap > 0).length / Math.max(1, rows.length);
  const facts: [string, string][] = [
    ['pairs in the dataset', pairs.toLocaleString('en-US')],
    ['shown here', rows.length === pairs ? 'all' : `${rows.length.toLocaleString('en-US')}, seed ${seed}`],
    ['mean margin', margins.length === 0 ? 'unknown' : rounded(mean(margins))],
    ['chosen is longer', percent(longer)],
    ...(disagreements.length === 0
      ? []
      : ([['judgements that disagree', percent(mean(disagreements))]] satisfies [string, string][])),
  ];
  return html`
<header class="top"><h1>${name}</h1><div class="id">${id}</div>
<div class="facts">${facts.map(([term, value]) => html`<dl class="fact"><dt>${term}</dt><dd>${value}</dd></dl>`)}${margins.length === 0 ? undefined : marginChart(margins)}</div></header>`;
}

/** Bars of the margins in at most 24 equal steps. */
function marginChart(margins: readonly number[]): Html {
  const [low, high] = [Math.min(0, ...margins), Math.max(...margins)];
  const bins = new Array<number>(24).fill(0);
  for (const margin of margins) {
    const at = high === low ? 0 : Math.min(23, Math.floor((24 * (margin - low)) / (high - low)));
    bins[at] = (bins[at] as number) + 1;
  }
  const most = Math.max(...bins);
  const bars = bins.map((count, at) => {
    const height = count === 0 ? 0 : Math.max(1, Math.round((44 * count) / most));
    return html`<rect x="${at * 10}" y="${44 - height}" width="8" height="${height}"></rect>`;
  });
  return html`<svg class="spread" width="240" height="58" viewBox="0 0 240 58" role="img" aria-label="margins from ${rounded(low)} to ${rounded(high)}">${bars}<text x="0" y="56">${rounded(low)}</text><text x="120" y="56" text-anchor="middle">margin</text><text x="238" y="56" text-anchor="end">${rounded(high)}</text></svg>`;
}

function tools(rows: readonly FeedbackRow[]): Html {
  const choices = {
    source: valuesOf(rows.flatMap(({ source }) => source ?? [])),
    flag: valuesOf(rows.flatMap(allFlags)),
    model: valuesOf(rows.flatMap(({ chosen, rejected }) => [chosen.model, rejected.model])),
    split: valuesOf(rows.map(({ split }) => split)),
  };
  const sorts = [
    ['margin down', 'widest margin'],
    ['margin up', 'thinnest margin'],
    ['disagreement down', 'most disagreement'],
    ['disagreement up', 'least disagreement'],
    ['gap down', 'largest length gap'],
    ['gap up', 'smallest length gap'],
  ] as const;
  const choice = (name: keyof typeof choices) => html`
<label>${name}<select name="${name}"><option value="">any</option>${choices[name].map((value) => html`<option value="${value}">${value}</option>`)}</select></label>`;
  const least = (name: string, label: string, step: number) => html`
<label>${label}<input type="number" name="${name}" step="${step}"></label>`;
  return html`
<form class="tools" name="tools" hidden><div>
<label>sort by<select name="sort">${sorts.map(([value, label]) => html`<option value="${value}">${label}</option>`)}</select></label>${least('least', 'margin from', 0.25)}${least('most', 'margin to', 0.25)}${least('disagreement', 'disagreement from', 0.1)}${least('gap', 'length gap from', 100)}${choice('source')}${choice('flag')}${choice('model')}${choice('split')}
<label>text<input type="search" name="search" autocomplete="off"></label>
<label class="check"><input type="checkbox" name="diff" checked>differences</label>
<label class="check"><input type="checkbox" name="why" checked>reasons</label>
<button type="reset">clear</button><output></output></div></form>`;
}

function valuesOf(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
