/** An estimate with its 95 % interval. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** 97.5 % quantile of the normal distribution. */
const Z = 1.959964;

/** Share of `hits` in `count` with its score interval (Wilson 1927); null for a count of 0. */
export function share(hits: number, count: number): Interval | null {
  if (count === 0) return null;
  const value = hits / count;
  const middle = (value + Z ** 2 / (2 * count)) / (1 + Z ** 2 / count);
  const half = (Z / (1 + Z ** 2 / count)) * Math.sqrt((value * (1 - value)) / count + Z ** 2 / (4 * count ** 2));
  return { value, low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/**
 * Cohen's kappa of two raters who put the same items into categories: how far they agree beyond chance. Interval by the
 * standard error of Cohen 1960, sqrt(po (1 - po) / n) / (1 - pe). Null without pairs, and where chance alone would always agree.
 */
export function cohenKappa(pairs: readonly (readonly [string, string])[]): Interval | null {
  const count = pairs.length;
  const portion = (rater: 0 | 1, category: string) => pairs.filter((pair) => pair[rater] === category).length / count;
  const categories = new Set(pairs.flat());
  const observed = pairs.filter(([a, b]) => a === b).length / count;
  const chance = [...categories].reduce((sum, category) => sum + portion(0, category) * portion(1, category), 0);
  if (count === 0 || chance >= 1) return null;
  const value = (observed - chance) / (1 - chance);
  const half = (Z * Math.sqrt((observed * (1 - observed)) / count)) / (1 - chance);
  return { value, low: Math.max(-1, value - half), high: Math.min(1, value + half) };
}

/**
 * Krippendorff's alpha for numbers (interval differences), over units that two raters or more have rated; raters may be
 * missing. 1 is full agreement, 0 what chance gives. Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability.
 */
export function krippendorff() {
  let [count, sum, squares, observed] = [0, 0, 0, 0];
  return {
    /** the numbers that a unit got */
    add(values: readonly number[]): void {
      const many = values.length;
      if (many < 2) return;
      const total = values.reduce((all, value) => all + value, 0);
      const square = values.reduce((all, value) => all + value * value, 0);
      // The squared differences of all ordered pairs of n numbers add up to 2 (n sum(v^2) - sum(v)^2).
      observed += (2 * (many * square - total ** 2)) / (many - 1);
      count += many;
      sum += total;
      squares += square;
    },
    /** null where there is nothing to agree on: no unit, or one number throughout */
    alpha(): number | null {
      const expected = (2 * (count * squares - sum ** 2)) / (count - 1);
      return count < 2 || expected === 0 ? null : 1 - observed / expected;
    },
  };
}

/** What a judge said of texts in one order of them: values by text. */
export type Said = ReadonlyMap<string, number>;

/**
 * How far two judgements of the same texts agree, be it of one judge in two orders or of two judges: in the number given
 * to a text, and in which of two texts is the better one or whether neither is.
 */
export function agreementOfTwo() {
  const counts = { texts: 0, sameValue: 0, pairs: 0, samePreference: 0 };
  return {
    counts,
    add(one: Said, other: Said): void {
      const shared = [...one.keys()].filter((text) => other.has(text));
      for (const [index, text] of shared.entries()) {
        counts.texts += 1;
        counts.sameValue += one.get(text) === other.get(text) ? 1 : 0;
        for (const rival of shared.slice(0, index)) {
          counts.pairs += 1;
          counts.samePreference += preference(one, text, rival) === preference(other, text, rival) ? 1 : 0;
        }
      }
    },
  };
}

function preference(said: Said, text: string, rival: string): number {
  return Math.sign((said.get(text) as number) - (said.get(rival) as number));
}

/** Every two of the items. */
export function pairsAmong<T>(items: readonly T[]): [T, T][] {
  return items.flatMap((item, index) => items.slice(index + 1).map((other): [T, T] => [item, other]));
}
