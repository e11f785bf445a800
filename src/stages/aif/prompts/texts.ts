import { parse } from 'node:path';
import { objectIn } from '../../../base/ndjson.ts';
import { textOf } from '../../../datasets/conversation.ts';
import type { TextReader } from '../../module.ts';
import type { AifRecipe, AifSpec } from '../spec.ts';
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

/**
 * The lines of a file of prompts as the recipe lists them: of `.jsonl` the members prompt, prompt_id and source, of other
 * files each line itself. `malformed`: numbers of the lines that are no object with a text, or turns, in `prompt`; they are in the list
 * as they stand.
 */
export function promptLines(
  file: string,
  text: string,
): { readonly list: PromptSource['list']; readonly malformed: readonly number[] } {
  const list: PromptSource['list'] = [];
  const malformed: number[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    if (!file.endsWith('.jsonl')) {
      list.push(line.trim());
      continue;
    }
    const { prompt: asked, prompt_id, source } = objectIn(line) ?? {};
    const prompt = textOf(asked);
    if (prompt === undefined) {
      malformed.push(index + 1);
      list.push({ malformed: line });
      continue;
    }
    list.push({
      prompt,
      ...(typeof prompt_id === 'string' && prompt_id !== '' ? { prompt_id } : {}),
      ...(typeof source === 'string' && source !== '' ? { source } : {}),
    });
  }
  return { list, malformed };
}
