import { objectIn } from '../../../base/ndjson.ts';
import { textOf } from '../../../datasets/conversation.ts';
import type { PromptSource } from './spec.ts';

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
