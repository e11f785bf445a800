import { type Html, html } from '../html.ts';
import type { ReportFacts, ReportRecipe } from './facts.ts';
import { copyable, dataTable, type Section } from './section.ts';

export function reproduceSection(facts: ReportFacts, recipe: ReportRecipe | undefined): Section {
  const { subject, artifacts, zephyr } = facts;
  const { manifest } = subject;
  const versions = Object.entries(manifest?.versions ?? {});
  const body = html`<dl class="commands">${commandsFor(facts, recipe).map(([about, command]) => html`<div><dt>${about}</dt><dd>${copyable(command)}</dd></div>`)}</dl>${
    recipe === undefined
      ? html`<p class="soft">The run that made it is not on this Hub, and with it the recipe.</p>`
      : recipePart(recipe)
  }<details><summary>every artifact by ID, with fingerprint and content digest</summary>${dataTable(
    ['made by', 'ID', 'fingerprint', 'content digest'].map((title) => ({ title })),
    artifacts.map((artifact) => [
      artifact.manifest === undefined ? 'given' : `${artifact.manifest.stage}/${artifact.manifest.step}`,
      copyable(artifact.id),
      artifact.manifest === undefined ? '' : copyable(artifact.manifest.fingerprint, artifact.manifest.fingerprint.slice(0, 16)),
      artifact.manifest === undefined ? '' : copyable(artifact.manifest.digest, artifact.manifest.digest.slice(0, 16)),
    ]),
    'artifacts',
  )}</details>${
    versions.length === 0
      ? undefined
      : html`<details><summary>packages that the last job saw</summary>${dataTable(
          [{ title: 'package' }, { title: 'version' }],
          versions.map(([name, version]) => [name, version]),
          'packages',
        )}</details>`
  }
<p class="soft">zephyr ${manifest?.zephyr ?? zephyr} made it, zephyr ${zephyr} wrote this page.</p>`;
  return { id: 'reproduce', title: 'Make it again', body };
}

function commandsFor({ subject, runs }: ReportFacts, recipe: ReportRecipe | undefined): (readonly [string, string])[] {
  const known: (readonly [string, string])[] = [['what it is, byte by byte', `zephyr inspect ${subject.id}`]];
  if (runs.some(({ run }) => run === subject.manifest?.run))
    known.push(['what was done to make it', `zephyr logs ${subject.id} --events`]);
  if (recipe !== undefined && !recipe.isRehearsal)
    known.push(
      ['make it again, as far as nothing is there yet', 'zephyr run recipe.yaml'],
      ['what would be used again, and why', 'zephyr plan recipe.yaml --why'],
    );
  return known;
}

function recipePart({ yaml, isRehearsal }: ReportRecipe): Html {
  const title = isRehearsal
    ? 'the recipe at toy size: a rehearsal of the whole one makes it again'
    : 'recipe.yaml, as the run followed it';
  return html`<details class="recipe"><summary>${title}</summary><div class="code"><button type="button" class="copy" data-copy="${yaml}" aria-label="copy the recipe" hidden></button><pre tabindex="0">${yaml}</pre></div></details>`;
}
