import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { readReadme, section, writeReadme } from '../datasets/readme.ts';
import { CARD_SECTION } from '../evaluations/model-index.ts';
import type { Hub } from '../hub/hub.ts';
import { formatRef } from '../model/artifact.ts';
import type { Manifest } from '../model/manifest.ts';
import type { Step } from '../stages/stage.ts';
import { lineageOf } from './lineage.ts';
import { modelCard } from './model-card.ts';

/**
 * The card of an artifact: what the step wrote itself (a dataset names its configs in the YAML header), then where it
 * comes from. It is not part of the content digest.
 */
export async function cardOf(hub: Hub, step: Step, manifest: Manifest, folder: string): Promise<string> {
  const written = await readFile(join(folder, 'README.md'), 'utf8').catch(() => undefined);
  const own = written ?? (step.output.type === 'model' ? await cardOfModel(hub, step, manifest, folder) : header(step));
  const inputs = Object.entries(manifest.inputs).map(
    ([name, input]) => `| ${name} | \`${formatRef(input)}\` | \`${input.digest.slice(0, 16)}\` |`,
  );
  const metrics = Object.entries(manifest.metrics)
    .filter(([, value]) => typeof value !== 'object')
    .map(([name, value]) => `| ${name} | ${value} |`);
  const text = [
    own.trimEnd(),
    '',
    '## Provenance',
    '',
    `Made by zephyr ${manifest.zephyr}, step \`${manifest.stage}/${manifest.step}\`, ${manifest.run}.`,
    `Fingerprint \`${manifest.fingerprint}\`, content \`${manifest.digest}\`.`,
    '',
    ...(inputs.length === 0 ? [] : ['| input | artifact | content |', '| --- | --- | --- |', ...inputs, '']),
    ...(metrics.length === 0 ? [] : ['| metric | value |', '| --- | --- |', ...metrics, '']),
  ].join('\n');
  const { head, body } = readReadme(text);
  return writeReadme({ head, body: `\n${section(CARD_SECTION, body)}` });
}

async function cardOfModel(hub: Hub, step: Step, manifest: Manifest, folder: string): Promise<string> {
  const config = await readFile(join(folder, 'config.json'), 'utf8').catch(() => '');
  const isChat = /ForCausalLM"/.test(config) && manifest.files.some(({ path }) => path === 'chat_template.jinja');
  return modelCard({ step, manifest, lineage: await lineageOf(hub, manifest), answers: isChat });
}

function header(step: Step): string {
  return `---\n${stringify({ tags: ['zephyr', step.stage] })}---\n\n# ${step.output.name}\n\n${step.summary}\n`;
}
