import { formatNumber } from '../../render/format.ts';
import { html } from '../html.ts';
import type { ReportFacts } from './facts.ts';
import { lastingNotes, leftOutOf } from './left-out.ts';
import { dataTable, type Section } from './section.ts';

export function leftOutSection(facts: ReportFacts): Section {
  const left = leftOutOf(facts);
  const notes = lastingNotes(facts.runs);
  const rows = left.map(({ stage, step, of, reason, count, read }) => [
    `${stage}/${step}`,
    of,
    reason.replaceAll('_', ' '),
    formatNumber(count),
    read === null ? '' : `${formatNumber(read)}`,
  ]);
  const titles = ['step', 'of', 'why', 'left out', 'of so many'];
  const headings = titles.map((title, at) => ({ title, numeric: at > 2 }));
  const table =
    rows.length === 0
      ? html`<p>Nothing: every row, answer and item that was read was used.</p>`
      : dataTable(headings, rows, 'what was left out');
  const said =
    notes.length === 0
      ? undefined
      : html`<h3>Notes of the steps</h3><ul>${notes.map(({ stage, step, message }) => html`<li><b>${stage}/${step}</b> ${message}</li>`)}</ul>`;
  return { id: 'left-out', title: 'What was left out', body: html`${table}${said}` };
}
