import { formatNumber } from '../../render/format.ts';
import { type Html, html } from '../html.ts';
import { byEnd, nameOf, type ReportArtifact, type ReportFacts } from './facts.ts';
import type { Section } from './section.ts';

/** Artifacts as boxes, a column for each stage; the page's script draws what was made of what between them. */
export function pictureSection({ artifacts, subject, runs }: ReportFacts): Section {
  const stages = byEnd(artifacts, ({ manifest }) => manifest?.stage ?? 'given');
  const number = new Map(artifacts.map(({ id }, at) => [id, at]));
  const columns = stages.map(
    ([stage, members]) => html`
<div class="stage"><h3>${stage}</h3>${members.map((artifact) => box(artifact, number, { isSubject: artifact.id === subject.id, isResult: artifact === members.at(-1) && artifact.manifest !== undefined }))}</div>`,
  );
  const resumed = runs.flatMap(({ lines }) =>
    lines.filter(({ event }) => event.type === 'stage-started' && event.resumed),
  ).length;
  const body = html`
<div class="picture"><svg class="ways" aria-hidden="true" focusable="false"></svg>${columns}</div>
<p class="soft">${artifacts.length === 1 ? 'One artifact' : `${artifacts.length} artifacts`}, each at a commit and found again by its ID, which its button copies.${resumed === 0 ? '' : ` Runs were taken up again ${resumed === 1 ? 'once' : `${resumed} times`}.`}</p>`;
  return { id: 'lineage', title: 'How it was made', body };
}

interface Role {
  readonly isSubject: boolean;
  readonly isResult: boolean;
}

function box(artifact: ReportArtifact, number: ReadonlyMap<string, number>, { isSubject, isResult }: Role): Html {
  const { id, ref, manifest, inputs } = artifact;
  const from = [...new Set(Object.values(inputs))].flatMap((input) => number.get(input) ?? []);
  const went = manifest?.attempts.flatMap(({ resumedFromStep }) => resumedFromStep ?? []) ?? [];
  return html`
<div class="box ${ref.type}${isResult ? ' result' : ''}${isSubject ? ' subject' : ''}" tabindex="0" data-box="${number.get(id) ?? ''}" data-from="${from.join(' ')}"><div class="what"><span class="kind">${ref.type}</span>${manifest === undefined ? undefined : html`<span>${manifest.step}</span>`}</div><b>${nameOf(artifact)}</b><div class="facts-line">${factsOf(artifact).map((fact) => html`<span>${fact}</span>`)}${went.length === 0 ? undefined : html`<span class="warn">resumed ${went.length === 1 ? 'once' : `${went.length} times`}</span>`}</div><div class="ref"><code title="${id}">${ref.commit.slice(0, 7)}</code><button type="button" class="copy" data-copy="${id}" aria-label="copy ${id}" hidden></button></div></div>`;
}

/** Counts and results of a step, in the words of its metrics: which of them an artifact has it knows itself. */
const FACTS: readonly (readonly [string, string])[] = [
  ['parameters', 'parameters'],
  ['train_loss', 'train loss'],
  ['eval_loss', 'held-out loss'],
  ['eval_rewards/margins', 'held-out margin'],
  ['eval_accuracy', 'held-out accuracy'],
  ['pairs', 'pairs'],
  ['prompts', 'prompts'],
  ['completions', 'answers'],
  ['ratings', 'ratings'],
  ['rows', 'rows'],
  ['tokens', 'tokens'],
];

/** Facts that fit into a box. */
const FIT = 2;

export function factsOf({ manifest }: ReportArtifact): string[] {
  const found = FACTS.flatMap(([member, word]) => {
    const value = manifest?.metrics[member];
    if (typeof value !== 'number') return [];
    return [word.includes(' ') ? `${word} ${formatNumber(value)}` : `${formatNumber(value)} ${word}`];
  });
  return found.slice(0, FIT);
}
