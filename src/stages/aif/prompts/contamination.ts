import { wordsOf } from '../../../datasets/words.ts';

/** A prompt holds an item of a benchmark, or some words of it in a row. */
export interface Hit {
  readonly benchmark: string;
  /** of the benchmark, from 1 */
  readonly row: number;
  /** the words that both have, in lower case */
  readonly ngram: string;
}

/** Items of fewer words are in many prompts, so they count only where they are the whole prompt. */
const SHORTEST = 5;

interface BenchmarkIndex {
  /** by n words in a row; the first item that has them */
  readonly rows: Map<string, number>;
  /** items of fewer than n words, by their first words */
  readonly short: Map<string, { readonly row: number; readonly words: string }[]>;
  /** by all their words */
  readonly whole: Map<string, number>;
}

/**
 * Finds prompts that share `n` words in a row with an item of a benchmark; items with fewer words have to be in the prompt
 * as a whole. 13 words are GPT-3's measure (Brown et al. 2020, appendix C), 8 the stricter one of Tulu 3.
 */
export class Contamination {
  readonly #n: number;
  readonly #benchmarks = new Map<string, BenchmarkIndex>();

  constructor(n: number) {
    this.#n = n;
  }

  add(benchmark: string, row: number, text: string): void {
    const known = this.#benchmarks.get(benchmark);
    const { rows, short, whole } = known ?? { rows: new Map(), short: new Map(), whole: new Map() };
    if (known === undefined) this.#benchmarks.set(benchmark, { rows, short, whole });
    const item = layOut(text);
    if (item.count === 0) return;
    if (!whole.has(item.joined)) whole.set(item.joined, row);
    if (item.count < SHORTEST) return;
    if (item.count < this.#n) {
      const start = item.slice(0, SHORTEST);
      const others = short.get(start) ?? [];
      others.push({ row, words: item.joined });
      short.set(start, others);
    }
    for (let at = 0; at + this.#n <= item.count; at += 1) {
      const gram = item.slice(at, this.#n);
      if (!rows.has(gram)) rows.set(gram, row);
    }
  }

  /** At most one hit a benchmark, the first in the prompt. */
  find(prompt: string): Hit[] {
    const words = layOut(prompt);
    return [...this.#benchmarks].flatMap(([benchmark, index]) => {
      const same = index.whole.get(words.joined);
      const hit = same === undefined ? this.#hitIn(words, index) : { row: same, ngram: words.joined };
      return hit === undefined ? [] : [{ benchmark, ...hit }];
    });
  }

  #hitIn(words: LaidOut, { rows, short }: BenchmarkIndex): Omit<Hit, 'benchmark'> | undefined {
    for (let at = 0; at < words.count; at += 1) {
      const ngram = at + this.#n <= words.count ? words.slice(at, this.#n) : '';
      const row = rows.get(ngram);
      if (row !== undefined) return { row, ngram };
      const known = at + SHORTEST <= words.count ? (short.get(words.slice(at, SHORTEST)) ?? []) : [];
      const item = known.find((each) => words.has(each.words, at));
      if (item !== undefined) return { row: item.row, ngram: item.words };
    }
    return undefined;
  }
}

/** The words of a text with one space between, of which some in a row are taken without joining them again. */
interface LaidOut {
  readonly joined: string;
  readonly count: number;
  readonly slice: (at: number, count: number) => string;
  /** Whether these words stand at a word of the text. */
  readonly has: (words: string, at: number) => boolean;
}

function layOut(text: string): LaidOut {
  const words = wordsOf(text);
  const joined = words.join(' ');
  const starts: number[] = [];
  let next = 0;
  for (const word of words) {
    starts.push(next);
    next += word.length + 1;
  }
  const endOf = (at: number) => (starts[at] as number) + (words[at] as string).length;
  return {
    joined,
    count: words.length,
    slice: (at, count) => joined.slice(starts[at], endOf(at + count - 1)),
    has: (other, at) => `${joined} `.startsWith(`${other} `, starts[at]),
  };
}
