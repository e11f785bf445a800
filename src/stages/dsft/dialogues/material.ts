import { hmacUniform } from '../../../base/hmac-choice.ts';
import { sha256 } from '../../../base/sha256.ts';
import { textOf } from '../../../datasets/conversation.ts';
import { readSplit } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import { openLists } from './lists.ts';
import type { Opening } from './settings.ts';
import type { Openings, Workbench } from './workbench.ts';

/** Instructions that ask something of a text that exists; the text stands before or after them, drawn by the seed. */
export async function materialOpenings(bench: Workbench): Promise<Openings> {
  const { settings, template } = bench;
  const { material, user, seed } = settings;
  if (material === null) return async () => [];
  const texts = await textsOf(bench);
  const byName = new Map(texts.map((text) => [sha256(text), text]));
  const request = {
    user,
    purpose: 'material instructions',
    instructions: await template('material'),
    ask: (name: string) => `Instructions to write: ${material.instructions}\n\nText:\n${byName.get(name)}`,
    count: material.instructions,
    what: 'instructions about texts',
  };
  const lists = openLists(bench, request, [...byName.keys()]);
  return async (amount) =>
    (await lists(amount)).map(({ subject, text }): Opening => {
      const quoted = byName.get(subject) ?? '';
      const parts = hmacUniform(seed, 'text first', `${subject} ${text}`) < 0.5 ? [quoted, text] : [text, quoted];
      return { kind: 'material', subject, text: parts.join('\n\n'), instruction: text };
    });
}

/** The texts to use: neither empty nor too long, each once, chosen by seed and text alone. */
async function textsOf({ settings: { material, seed }, material: folder, count }: Workbench): Promise<string[]> {
  if (material === null || folder === undefined) return [];
  const drawn: { readonly text: string; readonly at: number }[] = [];
  const seen = new Set<string>();
  for await (const row of readSplit(folder, material, { columns: [material.column] })) {
    const text = textOf(row[material.column])?.trim();
    if (text === undefined || text === '') count('texts that are none');
    else if (text.length > material.max_characters) count('texts that are too long');
    else if (!seen.has(sha256(text))) {
      seen.add(sha256(text));
      drawn.push({ text, at: hmacUniform(seed, 'material', text) });
    }
    // keeps no more rows in memory than the recipe uses
    if (drawn.length >= 2 * material.texts + 1000) keepFirst(drawn, material.texts);
  }
  keepFirst(drawn, material.texts);
  if (drawn.length === 0)
    throw new ZephyrError(
      `Cannot make dialogues about texts: column "${material.column}" of split "${material.split}" has none`,
      {
        hint: 'set dsft.data.material.column, or raise maxCharacters',
      },
    );
  return drawn.map(({ text }) => text);
}

function keepFirst(drawn: { readonly at: number }[], count: number): void {
  drawn.sort((a, b) => a.at - b.at);
  drawn.length = Math.min(drawn.length, count);
}
