import { stringify } from 'yaml';
import * as z from 'zod';
import { markdownTable } from '../datasets/card.ts';
import { formatRef } from '../model/artifact.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Step } from '../stages/stage.ts';
import type { MadeOf } from './lineage.ts';

const training = z.looseObject({ config: z.looseObject({ learning_rate: z.number() }) });
const rendering = z.looseObject({ config: z.looseObject({ system: z.enum(['empty', 'none']) }) });

interface Described {
  readonly step: Step;
  readonly manifest: Manifest;
  /** the nearest first, as `lineageOf` finds them */
  readonly lineage: readonly MadeOf[];
  /** whether it answers by itself: a causal model with a chat template, no adapter and no reward model */
  readonly answers: boolean;
}

/** The head and the body of a model's card, without where it comes from step by step. */
export function modelCard({ step, manifest, lineage, answers }: Described): string {
  const parents = lineage.filter(({ ref }) => isInput(manifest, ref) && ref.type === 'model').map(({ ref }) => ref.name);
  const foreign = lineage.filter(({ manifest: made }) => made === undefined);
  const data = foreign.filter(({ ref }) => ref.type === 'dataset');
  const head = {
    library_name: 'transformers',
    ...(answers ? { pipeline_tag: 'text-generation' } : {}),
    ...licenceHead(foreign),
    ...(parents.length === 0 ? {} : { base_model: parents.length === 1 ? parents[0] : parents }),
    ...(data.length === 0 ? {} : { datasets: [...new Set(data.map(({ ref }) => ref.name))] }),
    tags: ['zephyr', step.stage],
  };
  const parts = [
    `---\n${stringify(head)}---`,
    `# ${step.output.name}`,
    step.summary,
    ...(answers ? [usage(step.output.name, systemOf(manifest, lineage))] : []),
    ...hyperparameters(manifest, lineage),
    ...madeOf(lineage),
    licenceText(foreign),
  ];
  return `${parts.join('\n\n')}\n`;
}

const isInput = ({ inputs }: Manifest, ref: MadeOf['ref']): boolean =>
  Object.values(inputs).some(({ type, name, commit }) => type === ref.type && name === ref.name && commit === ref.commit);

/** As a test runs it. An empty system turn is written out where the model was trained with it: its answers depend on it. */
function usage(name: string, system: 'empty' | 'none'): string {
  const turns = [
    ...(system === 'empty' ? [{ role: 'system', content: '' }] : []),
    { role: 'user', content: 'What is a zephyr?' },
  ];
  return [
    '## Usage\n',
    '```python',
    'from transformers import pipeline\n',
    `chat = pipeline("text-generation", model=${JSON.stringify(name)})`,
    'messages = [',
    ...turns.map(({ role, content }) => `    {"role": ${JSON.stringify(role)}, "content": ${JSON.stringify(content)}},`),
    ']',
    'print(chat(messages, max_new_tokens=128)[0]["generated_text"][-1]["content"])',
    '```',
  ].join('\n');
}

function systemOf(manifest: Manifest, lineage: readonly MadeOf[]): 'empty' | 'none' {
  const made = [manifest, ...lineage.flatMap(({ manifest: each }) => each ?? [])];
  for (const { ingredients } of made) {
    const found = rendering.safeParse(ingredients).data;
    if (found !== undefined) return found.config.system;
  }
  return 'none';
}

/** Of the training itself, which for a merged model is a step before. */
function hyperparameters(manifest: Manifest, lineage: readonly MadeOf[]): string[] {
  const ofStage = lineage.flatMap(({ manifest: made }) => (made?.stage === manifest.stage ? [made] : []));
  for (const { ingredients } of [manifest, ...ofStage]) {
    const found = training.safeParse(ingredients).data;
    if (found === undefined) continue;
    const rows = Object.entries(found.config).filter(([, value]) => value !== null && JSON.stringify(value) !== '{}');
    const cells = rows.map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)]);
    return [`## Hyperparameters\n\n${markdownTable(['name', 'value'], cells)}`];
  }
  return [];
}

function madeOf(lineage: readonly MadeOf[]): string[] {
  if (lineage.length === 0) return [];
  const rows = lineage.map(({ ref, manifest }) => [
    `\`${formatRef(ref)}\``,
    manifest === undefined ? 'not made by zephyr' : `\`${manifest.stage}/${manifest.step}\``,
  ]);
  return [
    `## Made of\n\nThe nearest first: models, training data and what those were made of.\n\n${markdownTable(['artifact', 'by'], rows)}`,
  ];
}

/** One licence where all agree. Others are named, and are for a reader to bring together. */
function licenceHead(foreign: readonly MadeOf[]): Record<string, string> {
  const known = [...new Set(foreign.flatMap(({ licence }) => licence ?? []))].sort();
  if (known.length === 0 || foreign.some(({ ref, licence }) => ref.type === 'model' && licence === undefined)) return {};
  const [only] = known;
  if (known.length === 1 && only !== undefined) return { license: only };
  return {
    license: 'other',
    license_name: known.join('-and-').replaceAll(/[^a-z0-9.-]+/gi, '-'),
    license_link: 'README.md#licence',
  };
}

function licenceText(foreign: readonly MadeOf[]): string {
  if (foreign.length === 0)
    return '## Licence\n\nZephyr made all that this model was made of, and sets no licence: that is for whoever publishes it.';
  const rows = foreign.map(({ ref, licence }) => [`\`${formatRef(ref)}\``, licence ?? 'its card names none']);
  return `## Licence\n\nInherited from what zephyr did not make itself. Where answers of a teacher are among the data, its provider's terms hold as well.\n\n${markdownTable(['from', 'licence'], rows)}`;
}
