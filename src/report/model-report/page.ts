import { documentHead } from '../document-head.ts';
import { type Html, html } from '../html.ts';
import { trainingCurves } from './curves.ts';
import { effortOf } from './effort.ts';
import { nameOf, type ReportFacts, type ReportRecipe } from './facts.ts';
import { PAGE_STYLE } from './page-style.ts';
import { copyable, PlotList, type Section } from './section.ts';
import { benchmarkSections } from './section-benchmarks.ts';
import { effortSection } from './section-effort.ts';
import { feedbackSection } from './section-feedback.ts';
import { leftOutSection } from './section-left-out.ts';
import { pictureSection } from './section-picture.ts';
import { reproduceSection } from './section-reproduce.ts';
import { trainingSection } from './section-training.ts';
import { leadOf, tilesOf } from './summary.ts';

/** What a page needs beside the facts. */
export interface PageParts {
  /** the script that draws the plots, its library included */
  readonly script: string;
  readonly recipe: ReportRecipe | undefined;
}

/**
 * The page of an artifact: one file without server, without anything from elsewhere, in light and dark. Every text is
 * escaped, and a policy in the page forbids every script and style but its own two, known by their hashes. Without a script
 * it has its tables.
 */
export function modelReportPage(facts: ReportFacts, { script, recipe }: PageParts): string {
  const plots = new PlotList();
  const trainings = trainingCurves(facts);
  const efforts = effortOf(facts);
  const sections = [
    pictureSection(facts),
    ...benchmarkSections(facts, plots),
    trainingSection(facts, trainings, plots),
    feedbackSection(facts.artifacts, plots),
    effortSection(efforts, plots),
    leftOutSection(facts),
    reproduceSection(facts, recipe),
  ].filter((section) => section !== undefined);
  // no "<" can end the element, and JSON reads the escape as the sign itself
  const data = JSON.stringify(plots.plots).replaceAll('<', '\\u003c');
  return html`${head(facts, script)}${top(facts)}${contents(sections)}
<main>${sections.map(
    ({ id, title, body }) => html`
<section id="${id}"><h2>${title}</h2>${body}
</section>`,
  )}</main>
<footer>Written on ${facts.at.slice(0, 10)} by zephyr ${facts.zephyr} from manifests, run logs and evaluations. It asks for nothing from elsewhere.</footer>
<script type="application/json" id="plots">${{ html: data }}</script>
<script>${{ html: script }}</script>
</body>
</html>
`.html;
}

function head({ subject }: ReportFacts, script: string): Html {
  const title = `${nameOf(subject)}: how it was made`;
  return html`${documentHead({ title, style: PAGE_STYLE, script, icon: 'data:,' })}
<body>`;
}

function top(facts: ReportFacts): Html {
  const { subject } = facts;
  const tiles = tilesOf(facts);
  return html`
<header class="top"><p class="eyebrow">${subject.ref.type === 'model' ? 'Model report' : 'Dataset report'}</p><h1>${nameOf(subject)}</h1>${copyable(subject.id)}
<p class="lead">${leadOf(facts)}</p>
<dl class="tiles">${tiles.map(({ name, value, note }) => html`<div class="tile"><dt>${name}</dt><dd>${value}${note === undefined ? undefined : html`<small>${note}</small>`}</dd></div>`)}</dl></header>`;
}

function contents(sections: readonly Section[]): Html {
  return html`
<nav aria-label="sections"><div>${sections.map(({ id, title }) => html`<a href="#${id}">${title}</a>`)}</div></nav>`;
}
