import { wordsOf } from '../../../datasets/words.ts';

/** A prompt holds an item of a benchmark, or so many words of it in a row. */
export interface Hit {
  readonly benchmark: string;
  /** of the benchmark, from 1 */
  readonly row: number;
  /** the words that both have, in lower case */
  readonly ngram: string;
}

export interface Contamination {
  add(benchmark: string, row: number, text: string): void;
  /** At most one hit a benchmark, the first in the prompt. */
  find(prompt: string): Hit[];
}

/** Items of fewer words are in every other prompt: they count only where the prompt is nothing else. */
const SHORTEST = 5;

interface Item {
  readonly row: number;
  readonly words: string;
}
interface Benchmark {
  /** by n words in a row; the first item that has them */
  readonly rows: Map<string, number>;
  /** items of fewer than n words, by their first words */
  readonly short: Map<string, Item[]>;
  readonly whole: Map<string, number>;
}

/**
 * Finds prompts that share `n` words in a row with an item of a benchmark; items with fewer words have to be in the prompt
 * as a whole. 13 words are GPT-3's measure (Brown et al. 2020, appendix C), 8 the stricter one of Tulu 3.
 */
export function contamination(n: number): Contamination {
  const benchmarks = new Map<string, Benchmark>();
  return {
    add(name, row, text) {
      const found = benchmarks.get(name);
      const { rows, short, whole } = found ?? { rows: new Map(), short: new Map(), whole: new Map() };
      if (found === undefined) benchmarks.set(name, { rows, short, whole });
      const { joined, starts, ends } = laidOut(text);
      if (starts.length === 0) return;
      if (!whole.has(joined)) whole.set(joined, row);
      if (starts.length < SHORTEST) return;
      if (starts.length < n) {
        const start = joined.slice(0, ends[SHORTEST - 1]);
        const others = short.get(start);
        if (others === undefined) short.set(start, [{ row, words: joined }]);
        else others.push({ row, words: joined });
      }
      for (let at = 0; at + n <= starts.length; at += 1) {
        const gram = joined.slice(starts[at], ends[at + n - 1]);
        if (!rows.has(gram)) rows.set(gram, row);
      }
    },
    find(prompt) {
      const { joined, starts, ends } = laidOut(prompt);
      const hits: Hit[] = [];
      for (const [benchmark, { rows, short, whole }] of benchmarks) {
        const same = whole.get(joined);
        const hit = same === undefined ? hitIn(rows, short) : { row: same, ngram: joined };
        if (hit !== undefined) hits.push({ benchmark, ...hit });
      }
      return hits;

      function hitIn(rows: Benchmark['rows'], short: Benchmark['short']): Omit<Hit, 'benchmark'> | undefined {
        for (let at = 0; at < starts.length; at += 1) {
          const start = starts[at] as number;
          const gram = at + n <= starts.length ? joined.slice(start, ends[at + n - 1]) : undefined;
          const row = gram === undefined ? undefined : rows.get(gram);
          if (row !== undefined && gram !== undefined) return { row, ngram: gram };
          if (at + SHORTEST > starts.length) continue;
          const candidates = short.get(joined.slice(start, ends[at + SHORTEST - 1])) ?? [];
          const item = candidates.find(({ words }) => `${joined} `.startsWith(`${words} `, start));
          if (item !== undefined) return { row: item.row, ngram: item.words };
        }
        return undefined;
      }
    },
  };
}

/** The words with one space between, and where each begins and ends. */
function laidOut(text: string): {
  readonly joined: string;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
} {
  const words = wordsOf(text);
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  for (const word of words) {
    starts.push(at);
    at += word.length;
    ends.push(at);
    at += 1;
  }
  return { joined: words.join(' '), starts, ends };
}
