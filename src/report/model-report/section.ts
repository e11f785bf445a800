import { type Html, html } from '../html.ts';
import type { Plot } from './plots.ts';

/** A part of the page, with the plots that it refers to. */
export interface Section {
  /** of a-z and "-": the anchor */
  readonly id: string;
  readonly title: string;
  readonly body: Html;
}

/** Collects the plots of a page, so that its data stand in one place and its markup refers to them by number. */
export class PlotList {
  readonly plots: Plot[] = [];

  /** The place of a plot with its caption and, for those who cannot see it, the table behind it. */
  figure(plot: Plot, caption: Html | string, data: Html): Html {
    const at = this.plots.push(plot) - 1;
    return html`
<figure class="plot ${plot.kind}"><figcaption>${caption}</figcaption><div class="canvas"><canvas data-plot="${at}" role="img" aria-label="${plot.label}"></canvas></div><details class="data"><summary>the numbers</summary>${data}</details></figure>`;
  }
}

/** A column whose values are numbers stands right. */
interface Heading {
  readonly title: string;
  readonly numeric?: boolean;
}

/** A table that scrolls within itself where it is wider than the page. */
export function dataTable(headings: readonly Heading[], rows: readonly (readonly (Html | string)[])[], label: string): Html {
  const kind = (at: number) => (headings[at]?.numeric === true ? 'number' : 'words');
  return html`
<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table><thead><tr>${headings.map(({ title }, at) => html`<th scope="col" class="${kind(at)}">${title}</th>`)}</tr></thead><tbody>${rows.map(
    (cells) =>
      html`<tr>${cells.map((cell, at) => (at === 0 ? html`<th scope="row" class="${kind(at)}">${cell}</th>` : html`<td class="${kind(at)}">${cell}</td>`))}</tr>`,
  )}</tbody></table></div>`;
}

/** Text with a button that copies it; without a script the text can be selected. */
export function copyable(text: string, shown: string = text): Html {
  return html`<span class="copyable"><code>${shown}</code><button type="button" class="copy" data-copy="${text}" aria-label="copy ${text}" hidden></button></span>`;
}

/** At most `most` of the points, spread evenly, the first and the last among them. */
export function spread<Point>(points: readonly Point[], most: number): readonly Point[] {
  if (points.length <= most) return points;
  const stride = (points.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, at) => points[Math.round(at * stride)] as Point);
}
