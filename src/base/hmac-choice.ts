import { createHmac } from 'node:crypto';

/**
 * A number in [0, 1) that depends on the seed, the purpose and the item alone, so that adding items changes no other
 * item's draw. 48 bits of HMAC-SHA256(key = seed, "purpose\0item").
 */
export function hmacUniform(seed: number | string, purpose: string, item: string): number {
  const digest = createHmac('sha256', String(seed)).update(`${purpose}\0${item}`).digest();
  return digest.readUIntBE(0, 6) / 2 ** 48;
}

/** The items in an order drawn by `hmacUniform`, one draw for each item's name. */
export function hmacOrder<T>(seed: number | string, purpose: string, items: readonly T[], nameOf: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, draw: hmacUniform(seed, purpose, nameOf(item)) }))
    .sort((a, b) => a.draw - b.draw)
    .map(({ item }) => item);
}

/** One of the items, drawn by `hmacUniform`; `undefined` of none. */
export function hmacPick<T>(seed: number, purpose: string, items: readonly T[], name: string): T | undefined {
  return items[Math.floor(hmacUniform(seed, purpose, name) * items.length)];
}

/** One of the names by its weight, drawn by `hmacUniform`; `undefined` of none. The order of the names does not matter. */
export function hmacPickWeighted(
  seed: number,
  purpose: string,
  weights: Readonly<Record<string, number>>,
  item: string,
): string | undefined {
  const names = Object.keys(weights).sort();
  const total = names.reduce((sum, name) => sum + (weights[name] ?? 0), 0);
  let left = hmacUniform(seed, purpose, item) * total;
  return names.find((name) => {
    left -= weights[name] ?? 0;
    return left < 0;
  });
}
