import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../base/sha256.ts';
import { JUDGE_MODES, type JudgePanel } from './panel.ts';

const fileOf = (name: string) => `templates/judge-${name}.md`;

/** The system turn of a judge. It comes first in a call and is the same for all prompts, so that servers can cache it. */
export interface Instructions {
  /** the template files that it is made of: `judge-honesty+judge-form` */
  readonly id: string;
  readonly text: string;
  readonly sha256: string;
}

/** Instructions that say what to rate, then the format of the reply. */
export function judgeInstructions(files: string, aspect: string): Promise<Instructions> {
  return assemble(files, [aspect, 'form'], ([task = '', format = '']) => `${task}\n\n${format}`);
}

/** A section for each aspect, under its name, then how all of them are judged together. */
function manyAspects(files: string, aspects: readonly string[], template: string): Promise<Instructions> {
  return assemble(files, [...aspects, template], (texts) =>
    texts.map((text, index) => (index < aspects.length ? `# ${aspects[index]}\n\n${text}` : text)).join('\n\n'),
  );
}

type JudgedAspects = Pick<JudgePanel, 'mode' | 'aspects' | 'overall'>;

/** The instructions of a judge by what a request is about: an aspect, `joint`, `comparison` or `overall`. */
export async function allInstructions(
  files: string,
  { mode, aspects, overall }: JudgedAspects,
): Promise<Map<string, Instructions>> {
  const found = new Map<string, Instructions>();
  const { template, together } = JUDGE_MODES[mode];
  if (together !== undefined && aspects.length > 0) found.set(together, await manyAspects(files, aspects, template));
  for (const aspect of together === undefined ? aspects : []) {
    const own = template === 'form' ? judgeInstructions(files, aspect) : manyAspects(files, [aspect], template);
    found.set(aspect, await own);
  }
  if (overall) found.set('overall', await judgeInstructions(files, 'overall'));
  return found;
}

/** The files that a judge step reads, for its fingerprint. */
export function judgeFiles({ mode, aspects, overall }: JudgedAspects): string[] {
  const { template } = JUDGE_MODES[mode];
  const names = [...(aspects.length > 0 ? [...aspects, template] : []), ...(overall ? ['overall', 'form'] : [])];
  return [...new Set(names)].map(fileOf);
}

async function assemble(
  files: string,
  names: readonly string[],
  put: (texts: readonly string[]) => string,
): Promise<Instructions> {
  const texts = await Promise.all(names.map((name) => readFile(join(files, fileOf(name)), 'utf8')));
  const text = put(texts.map((each) => each.trim()));
  return { id: names.map((name) => `judge-${name}`).join('+'), text, sha256: sha256(text) };
}
