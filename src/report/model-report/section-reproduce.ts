import { html } from '../html.ts';
import type { ReportFacts } from './facts.ts';
import { copyable, dataTable, type Section } from './section.ts';

/** `recipe`: the YAML that the newest run followed, defaults included. */
export function reproduceSection({ subject, artifacts, zephyr, runs }: ReportFacts, recipe: string | undefined): Section {
  const { manifest } = subject;
  const commands = [
    ['what it is, byte by byte', `zephyr inspect ${subject.id}`],
    ...(runs.length > 0 && manifest ? [['what was done to make it', `zephyr logs ${subject.id} --events`]] : []),
    ...(recipe === undefined
      ? []
      : [
          ['make it again, as far as nothing is there yet', 'zephyr run recipe.yaml'],
          ['what would be used again, and why', 'zephyr plan recipe.yaml --why'],
        ]),
  ];
  const versions = Object.entries(manifest?.versions ?? {});
  const body = html`<dl class="commands">${commands.map(([about = '', command = '']) => html`<div><dt>${about}</dt><dd>${copyable(command)}</dd></div>`)}</dl>${
    recipe === undefined
      ? html`<p class="soft">The run that made it is not on this Hub, and with it the recipe.</p>`
      : html`<details class="recipe"><summary>recipe.yaml, as the run followed it</summary><div class="code"><button type="button" class="copy" data-copy="${recipe}" aria-label="copy the recipe" hidden></button><pre tabindex="0">${recipe}</pre></div></details>`
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
