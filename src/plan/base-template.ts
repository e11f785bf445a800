import * as z from 'zod';
import type { Hub } from '../hub/hub.ts';
import type { ArtifactRef } from '../model/artifact.ts';
import type { Plan } from './plan.ts';

const tokenizerConfig = z.object({ chat_template: z.unknown() });

/**
 * The base model of the plan where it brings a chat template, which the recipe's replaces: a model that chats already then
 * loses the format that it was taught. `undefined` where it brings none, is not read, or is not on the Hub.
 */
export async function baseWithTemplate({ recipe, pins }: Plan, hub: Hub): Promise<ArtifactRef | undefined> {
  const ref = pins.get(recipe.base)?.ref;
  if (ref === undefined) return undefined;
  const files = new Set((await hub.tree(ref)).map(({ path }) => path));
  if (files.has('chat_template.jinja')) return ref;
  const bytes = files.has('tokenizer_config.json') ? await hub.read(ref, 'tokenizer_config.json') : undefined;
  return bytes !== undefined && hasTemplate(Buffer.from(bytes).toString('utf8')) ? ref : undefined;
}

function hasTemplate(text: string): boolean {
  try {
    return tokenizerConfig.safeParse(JSON.parse(text)).data?.chat_template != null;
  } catch {
    // the step that reads the tokenizer says what is wrong with it
    return false;
  }
}
