import { ZephyrError } from '../errors.ts';

/**
 * Micro batches that a rank sums up before an optimizer step: globalBatch = processes x microBatch x accumulation.
 * Throws a `ZephyrError` (usage) with the nearest values that divide when these do not.
 */
export function accumulation(globalBatch: number, where: { readonly processes: number; readonly microBatch: number }): number {
  const { processes, microBatch } = where;
  const atOnce = processes * microBatch;
  if (globalBatch % atOnce === 0) return globalBatch / atOnce;
  const fits = (size: number) => globalBatch % size === 0;
  const micro = nearest(microBatch, globalBatch, (value) => fits(processes * value));
  const ranks = nearest(processes, globalBatch, (value) => fits(value * microBatch));
  const ways = [
    micro === undefined ? undefined : `microBatch ${micro} with processes ${processes}`,
    ranks === undefined ? undefined : `processes ${ranks} with microBatch ${microBatch}`,
  ].filter((way) => way !== undefined);
  throw new ZephyrError(
    `Cannot divide the global batch ${globalBatch} over processes ${processes} x microBatch ${microBatch} = ${atOnce} rows at once: expected a divisor of ${globalBatch}`,
    { hint: ways.length === 0 ? `processes 1 with microBatch 1 always divides` : `set ${ways.join(', or ')} in the target` },
  );
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
