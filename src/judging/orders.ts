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
