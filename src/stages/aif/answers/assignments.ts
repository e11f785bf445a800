import * as z from 'zod';
import type { ChatMessage } from '../../../teachers/teacher.ts';
import type { Prompt } from '../tables.ts';
import { drawMembers, drawOne, drawWeighted } from './draw.ts';
import { principleWordings } from './principles.ts';

/** What decides who answers which prompt, and under which principle. Two steps read it and must come to the same. */
export const slotsFields = {
  seed: z.int(),
  answers_per_prompt: z.int(),
  /** weights of the principles by source; `default` for the others */
  principles: z.record(z.string(), z.record(z.string(), z.number())),
};
export const memberFields = { id: z.string(), weight: z.number(), share: z.number().nullable() };

const slotsConfig = z.object({ ...slotsFields, pool: z.array(z.object(memberFields)) });
export type SlotsConfig = z.infer<typeof slotsConfig>;

/** One answer to be given. */
export interface Slot {
  /** `PROMPT_ID/MEMBER` */
  readonly id: string;
  readonly member: string;
  readonly principle: string | undefined;
  /** the system turn that the principle becomes */
  readonly wording: string | undefined;
}

export type SlotMaker = (prompt: Pick<Prompt, 'prompt_id' | 'source'>) => Slot[];

/** `files`: the folder of the principles' templates. What comes out depends on seed, prompt and source alone. */
export async function slotMaker(config: SlotsConfig, files: string): Promise<SlotMaker> {
  const { seed, pool, answers_per_prompt: count, principles } = config;
  const wordings = new Map<string, string[]>();
  for (const principle of new Set(Object.values(principles).flatMap((weights) => Object.keys(weights))))
    wordings.set(principle, await principleWordings(files, principle));
  return ({ prompt_id, source }) => {
    const weights = (Object.hasOwn(principles, source) ? principles[source] : principles.default) ?? {};
    return drawMembers(pool, count, seed, prompt_id).map(({ id: member }) => {
      const id = `${prompt_id}/${member}`;
      const principle = drawWeighted(weights, seed, 'principle', id);
      const wording = principle === undefined ? undefined : drawOne(wordings.get(principle) ?? [], seed, 'wording', id);
      return { id, member, principle, wording };
    });
  };
}

/** What a model is asked. */
export function turnsOf({ wording }: Slot, prompt: string): ChatMessage[] {
  const system = wording === undefined ? [] : [{ role: 'system' as const, content: wording }];
  return [...system, { role: 'user', content: prompt }];
}
