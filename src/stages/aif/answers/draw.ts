import { hmacUniform } from '../../../base/hmac-choice.ts';

/**
 * `count` of the members without replacement, each member's chance by its weight: the largest u^(1/weight) win (Efraimidis
 * and Spirakis 2006), with u from seed, member and prompt alone. In pool order.
 */
export function drawMembers<T extends { readonly id: string; readonly weight: number }>(
  pool: readonly T[],
  count: number,
  seed: number,
  promptId: string,
): T[] {
  const best = pool
    .map((member) => ({ member, at: hmacUniform(seed, `pool ${member.id}`, promptId) ** (1 / member.weight) }))
    .sort((a, b) => b.at - a.at)
    .slice(0, count);
  return pool.filter((member) => best.some((drawn) => drawn.member === member));
}

/** One of the items, by seed, purpose and name alone; `undefined` of none. */
export function drawOne<T>(items: readonly T[], seed: number, purpose: string, name: string): T | undefined {
  return items[Math.floor(hmacUniform(seed, purpose, name) * items.length)];
}
