import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { hmacPick, hmacPickWeighted, hmacUniform } from '../../../base/hmac-choice.ts';
import type { ChatMessage } from '../../../teachers/teacher.ts';
import type { Prompt } from '../tables.ts';

/** What decides who answers which prompt, and under which principle. Two steps read it and must come to the same. */
export const assignmentFields = {
  seed: z.int(),
  answers_per_prompt: z.int(),
  /** weights of the principles by source; `default` for the others */
  principles: z.record(z.string(), z.record(z.string(), z.number())),
};
export const memberFields = { id: z.string(), weight: z.number(), share: z.number().nullable() };

const assignmentConfig = z.object({ ...assignmentFields, pool: z.array(z.object(memberFields)) });

/** Who is to answer a prompt, and how. */
export interface Assignment {
  /** `PROMPT_ID/MEMBER` */
  readonly id: string;
  readonly member: string;
  readonly principle: string | undefined;
  /** the system turn that the principle becomes */
  readonly wording: string | undefined;
}

export type AssignmentsOf = (prompt: Pick<Prompt, 'prompt_id' | 'source'>) => Assignment[];

/** `files`: the folder of the principles' templates. What comes out depends on seed, prompt and source alone. */
export async function openAssignments(config: z.infer<typeof assignmentConfig>, files: string): Promise<AssignmentsOf> {
  const { seed, pool, answers_per_prompt: count, principles } = config;
  const wordings = new Map<string, string[]>();
  for (const principle of new Set(Object.values(principles).flatMap((weights) => Object.keys(weights))))
    wordings.set(principle, await principleWordings(files, principle));
  return ({ prompt_id, source }) => {
    const weights = (Object.hasOwn(principles, source) ? principles[source] : principles.default) ?? {};
    return drawMembers(pool, count, seed, prompt_id).map(({ id: member }) => {
      const id = `${prompt_id}/${member}`;
      const principle = hmacPickWeighted(seed, 'principle', weights, id);
      const wording = principle === undefined ? undefined : hmacPick(seed, 'wording', wordings.get(principle) ?? [], id);
      return { id, member, principle, wording };
    });
  };
}

/** What a member that answers in a job is to answer: a line for each of its prompts, the principle as the system turn. */
export const assignedFile = (member: string) => `${member}.jsonl`;

/** A member of the pool as far as the draw goes. */
export interface Drawable {
  readonly id: string;
  readonly weight: number;
  /** of the prompts that it answers for sure; without one it is drawn by weight */
  readonly share?: number | null;
}

/**
 * Who answers a prompt, `count` of the pool: members with a share when their draw says so, the rest from the others by
 * weight. Each draw is from seed, member and prompt alone. In pool order.
 */
export function drawMembers<T extends Drawable>(pool: readonly T[], count: number, seed: number, promptId: string): T[] {
  const sure = pool.filter(({ id, share }) => hmacUniform(seed, `share ${id}`, promptId) < (share ?? 0));
  // without replacement the largest u^(1/weight) win (Efraimidis and Spirakis 2006)
  const byWeight = pool
    .filter(({ share }) => (share ?? null) === null)
    .map((member) => ({ member, at: hmacUniform(seed, `pool ${member.id}`, promptId) ** (1 / member.weight) }))
    .sort((a, b) => b.at - a.at)
    .slice(0, count - sure.length)
    .map(({ member }) => member);
  const drawn = new Set([...sure, ...byWeight]);
  return pool.filter((member) => drawn.has(member));
}

/** What a model is asked. */
export function turnsOf({ wording }: Assignment, prompt: string): ChatMessage[] {
  const system = wording === undefined ? [] : [{ role: 'system' as const, content: wording }];
  return [...system, { role: 'user', content: prompt }];
}

export const principleFile = (principle: string) => `templates/principle-${principle}.md`;

/** The wordings of a principle, one a line of its file. */
async function principleWordings(files: string, principle: string): Promise<string[]> {
  return (await readFile(join(files, principleFile(principle)), 'utf8')).split('\n').filter((line) => line.trim() !== '');
}
