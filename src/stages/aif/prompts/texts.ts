import { parse } from 'node:path';
import type { TextReader } from '../../module.ts';
import type { AifRecipe, AifSpec } from '../spec.ts';
import { promptLines } from './prompt-lines.ts';
import type { PromptSource } from './spec.ts';

/** The section with the files of `prompts.sources` read into their lists. */
export async function promptTexts({ aif }: AifRecipe, read: TextReader): Promise<AifSpec> {
  if (aif.source !== 'teachers' && aif.source !== 'delta') return aif;
  const { prompts } = aif;
  const sources: PromptSource[] = [];
  for (const [index, { file, ...source }] of prompts.sources.entries()) {
    if (file === undefined) {
      sources.push(source);
      continue;
    }
    const path = ['aif', 'prompts', 'sources', index, 'file'];
    if (!/\.(txt|jsonl)$/.test(file))
      read.refuse(path, `expected a .txt file with one prompt a line or a .jsonl file with a text "prompt", got "${file}"`);
    const { list, malformed } = promptLines(file, await read.text(file, path));
    if (malformed.length > 0 && !prompts.skipInvalid) {
      const named = malformed.slice(0, 20).join(', ');
      read.refuse(path, `expected JSON objects with a text "prompt", got others in ${malformed.length} lines: ${named}`);
    }
    if (list.length === 0) read.refuse(path, `expected one prompt a line, "${file}" has none`);
    sources.push({ ...source, name: source.name ?? parse(file).name, list: [...source.list, ...list] });
  }
  return { ...aif, prompts: { ...prompts, sources } };
}
