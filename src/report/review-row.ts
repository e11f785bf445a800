import type { FeedbackAnswer, FeedbackRow } from './feedback-rows.ts';
import { type Html, html } from './html.ts';
import type { AspectRatings } from './judged.ts';
import { type Stretch, wordDiff } from './word-diff.ts';

/** Answers that share fewer words than this have no differences to mark: all of it is one. */
const ALIKE = 0.3;

/** One pair as an article; what it is sorted and filtered by is in its data attributes. `at` counts from 0. */
export function reviewRow(row: FeedbackRow, at: number): Html {
  const { chosen, rejected, margin, disagreement, lengthGap } = row;
  const diff = wordDiff(rejected.text, chosen.text);
  const isAlike = diff !== undefined && diff.similarity >= ALIKE;
  const models = [...new Set([chosen.model, rejected.model])].join('\n');
  return html`
<article tabindex="0" data-at="${at}" data-margin="${margin ?? ''}" data-disagreement="${disagreement ?? ''}" data-gap="${lengthGap}" data-source="${row.source ?? ''}" data-flags="${allFlags(row).join('\n')}" data-models="${models}" data-split="${row.split}">
<div class="head"><b>${at + 1}</b>${row.source === null ? undefined : html`<span class="chip">${row.source}</span>`}<span class="chip">${row.split}</span>${allFlags(row).map((flag) => html`<span class="chip flag">${flag.replaceAll('_', ' ')}</span>`)}
<span>margin <b>${margin === null ? 'unknown' : rounded(margin)}</b></span>
<span>length <b>${signed(lengthGap)}</b></span>${
    disagreement === null
      ? undefined
      : html`
<span>disagreement <b>${percent(disagreement)}</b></span>`
  }
<span>${diff === undefined ? 'too long and too different to compare' : `${percent(diff.similarity)} of the words shared`}</span>
<span class="mono">${row.prompt_id.slice(0, 16)}</span></div>
<div class="prompt" tabindex="0" role="region" aria-label="prompt"><p class="text">${row.prompt}</p></div>
<div class="sides">${side('chosen', chosen, isAlike ? diff.after : undefined)}${side('rejected', rejected, isAlike ? diff.before : undefined)}</div>${
    row.others.length === 0
      ? undefined
      : html`
<details class="others"><summary>${row.others.length === 1 ? 'one other answer' : `${row.others.length} other answers`}</summary>${row.others.map((other) => side('other', other, undefined))}</details>`
  }
</article>`;
}

/** Flags of the pair and of its two answers. */
export function allFlags({ flags, chosen, rejected }: FeedbackRow): string[] {
  return [...new Set([...flags, ...chosen.flags, ...rejected.flags])];
}

function side(name: 'chosen' | 'rejected' | 'other', answer: FeedbackAnswer, diff: readonly Stretch[] | undefined): Html {
  const { model, text, score, judged, flags } = answer;
  const parts = diff?.map((stretch) => (stretch.shared ? html`${stretch.text}` : marked(stretch.text)));
  return html`
<section class="side ${name}"><h3><b>${name}</b><span>${model}</span>${score === null ? undefined : html`<span>score ${rounded(score)}</span>`}<span>${text.length.toLocaleString('en-US')} characters</span>${name === 'other' ? flags.map((flag) => html`<span class="chip flag">${flag}</span>`) : undefined}</h3>
<p class="text">${text === '' ? html`<span class="mono">nothing</span>` : (parts ?? text)}</p>${
    judged.length === 0 ? undefined : html`<table>${judged.map(aspectRow)}</table>`
  }</section>`;
}

function marked(text: string): Html {
  const words = text.trimEnd();
  return html`<mark>${words}</mark>${text.slice(words.length)}`;
}

function aspectRow({ aspect, value, na, ratings }: AspectRatings): Html {
  const single = ratings.map((rating) => (rating.value === null ? (rating.na ? 'n/a' : rating.status) : rounded(rating.value)));
  const judges = new Set(ratings.map(({ judge }) => judge)).size;
  const reasons = ratings.flatMap(({ rationale, judge }) =>
    rationale === null || rationale === '' ? [] : [judges > 1 ? `${judge}: ${rationale}` : rationale],
  );
  const result = value === null ? (na ? 'n/a' : 'none') : rounded(value);
  return html`<tr><th scope="row">${aspect.replaceAll('_', ' ')}</th><td class="value">${result}</td><td class="single">${single.length > 1 ? single.join(' · ') : ''}</td><td class="why">${[...new Set(reasons)].join('\n')}</td></tr>`;
}

/** At most three digits, without what says nothing. */
export function rounded(value: number): string {
  return String(Number(value.toFixed(3)));
}

function signed(value: number): string {
  return value > 0 ? `+${value}` : String(value).replace('-', '\u2212');
}

export function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
