import { uniforms } from './bootstrap.ts';

/** Up to so many differences all combinations of signs are tried: 2^13 are about as many as the draws would be. */
const MOST_EXACT = 13;

/**
 * Two-sided p-value of paired differences: the share of combinations of signs under which their sum is at least as far from 0
 * as it is (Fisher 1935, section 21). All combinations for few differences, else `draws` of them, of which the one that was seen counts as one
 * more. It assumes no distribution, only that a difference could as well have had the other sign. Differences of 0 have none.
 */
export function signFlip(differences: readonly number[], draws: number, seed: number): number {
  const signed = differences.filter((difference) => difference !== 0);
  const seen = Math.abs(signed.reduce((sum, difference) => sum + difference, 0));
  // sums of the same numbers in another order differ in their last digits
  const asFar = (sum: number) => Math.abs(sum) >= seen * (1 - 1e-12);
  if (signed.length > MOST_EXACT) return (drawnSums(signed, draws, seed).filter(asFar).length + 1) / (draws + 1);
  const sums = signed.reduce((all, difference) => all.flatMap((sum) => [sum + difference, sum - difference]), [0]);
  return sums.filter(asFar).length / sums.length;
}

/** Sums of the numbers under random signs. */
function drawnSums(numbers: readonly number[], draws: number, seed: number): Float64Array {
  const draw = uniforms(seed);
  return new Float64Array(draws).map(() => {
    let [sum, bits] = [0, 0];
    for (const [at, number] of numbers.entries()) {
      // 31 bits of one draw are as many signs
      if (at % 31 === 0) bits = Math.floor(draw() * 2 ** 31);
      sum += (bits >> (at % 31)) & 1 ? number : -number;
    }
    return sum;
  });
}
