import { ZephyrError } from '../errors.ts';

/** What divides a global batch: ranks on each of the nodes, and the rows that each takes at once. */
export interface Shares {
  readonly nodes: number;
  readonly processes: number;
  readonly microBatch: number;
}

/**
 * Micro batches that a rank sums up before an optimizer step: globalBatch = nodes x processes x microBatch x accumulation.
 * Throws a `ZephyrError` (usage) with the nearest values that divide when these do not. `name`: how the target calls the micro
 * batch, `microBatch.dsft`.
 */
export function accumulation(globalBatch: number, shares: Shares, name = 'microBatch'): number {
  const atOnce = rowsAtOnce(shares);
  if (globalBatch % atOnce === 0) return globalBatch / atOnce;
  const ways = (['microBatch', 'processes', 'nodes'] as const).flatMap((changed) => {
    if (changed === 'nodes' && shares.nodes === 1) return [];
    const value = nearest(
      shares[changed],
      globalBatch,
      (tried) => globalBatch % rowsAtOnce({ ...shares, [changed]: tried }) === 0,
    );
    if (value === undefined) return [];
    const { [changed]: named, ...kept } = inWords({ ...shares, [changed]: value }, name);
    return [`${named} with ${Object.values(kept).join(' and ')}`];
  });
  const given = Object.values(inWords(shares, name)).join(' x ');
  throw new ZephyrError(
    `Cannot divide the global batch ${globalBatch} over ${given} = ${atOnce} rows at once: expected a divisor of ${globalBatch}`,
    { hint: ways.length === 0 ? 'one process with one row at once always divides' : `set ${ways.join(', or ')} in the target` },
  );
}

const rowsAtOnce = ({ nodes, processes, microBatch }: Shares) => nodes * processes * microBatch;

/** As the target writes them; one node goes without saying. */
function inWords({ nodes, processes, microBatch }: Shares, name: string): Record<string, string> {
  const words = { processes: `processes ${processes}`, microBatch: `${name} ${microBatch}` };
  return nodes === 1 ? words : { nodes: `nodes ${nodes}`, ...words };
}

/** The value in 1..limit closest to `from` that passes; the smaller of two as close. */
function nearest(from: number, limit: number, passes: (value: number) => boolean): number | undefined {
  for (let distance = 0; distance <= Math.max(from, limit); distance += 1) {
    for (const value of [from - distance, from + distance]) {
      if (value >= 1 && value <= limit && passes(value)) return value;
    }
  }
  return undefined;
}
