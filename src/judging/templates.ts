import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../base/sha256.ts';
import type { JudgePanel } from './panel.ts';

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
function manyAspects(files: string, aspects: readonly string[], mode: string): Promise<Instructions> {
  return assemble(files, [...aspects, mode], (texts) =>
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
  if (mode === 'joint' && aspects.length > 0) found.set('joint', await manyAspects(files, aspects, 'joint'));
  if (mode === 'pairwise' && aspects.length > 0) found.set('comparison', await manyAspects(files, aspects, 'pairwise'));
  if (mode === 'per_aspect') for (const aspect of aspects) found.set(aspect, await judgeInstructions(files, aspect));
  if (mode === 'expected') for (const aspect of aspects) found.set(aspect, await manyAspects(files, [aspect], 'expected'));
  if (overall) found.set('overall', await judgeInstructions(files, 'overall'));
  return found;
}

/** The files that a judge step reads, for its fingerprint. */
export function judgeFiles({ mode, aspects, overall }: JudgedAspects): string[] {
  const format = mode === 'per_aspect' ? 'form' : mode;
  const names = [...(aspects.length > 0 ? [...aspects, format] : []), ...(overall ? ['overall', 'form'] : [])];
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
