import { hmacUniform } from '../../../base/hmac-choice.ts';

/** What a member that answers in a job is to answer: a line for each of its prompts, the principle as the system turn. */
export const drawsFile = (member: string) => `${member}.jsonl`;

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
  const others = pool.filter(({ share }) => (share ?? null) === null);
  const drawn = new Set([...sure, ...drawByWeight(others, count - sure.length, seed, promptId)]);
  return pool.filter((member) => drawn.has(member));
}

/** Without replacement: the largest u^(1/weight) win (Efraimidis and Spirakis 2006). */
function drawByWeight<T extends Drawable>(pool: readonly T[], count: number, seed: number, promptId: string): T[] {
  return pool
    .map((member) => ({ member, at: hmacUniform(seed, `pool ${member.id}`, promptId) ** (1 / member.weight) }))
    .sort((a, b) => b.at - a.at)
    .slice(0, count)
    .map(({ member }) => member);
}

/** One of the items, by seed, purpose and name alone; `undefined` of none. */
export function drawOne<T>(items: readonly T[], seed: number, purpose: string, name: string): T | undefined {
  return items[Math.floor(hmacUniform(seed, purpose, name) * items.length)];
}

/** One of the names by its weight, by seed, purpose and item alone; `undefined` of none. */
export function drawWeighted(
  weights: Readonly<Record<string, number>>,
  seed: number,
  purpose: string,
  item: string,
): string | undefined {
  // the order in which the recipe names them is no part of its meaning
  const names = Object.keys(weights).sort();
  const total = names.reduce((sum, name) => sum + (weights[name] ?? 0), 0);
  let left = hmacUniform(seed, purpose, item) * total;
  return names.find((name) => {
    left -= weights[name] ?? 0;
    return left < 0;
  });
}
