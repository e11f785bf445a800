import { createHash } from 'node:crypto';
import { wordsOf } from './words.ts';

/** Words of a shingle. */
const SHINGLE = 5;
const PERMUTATIONS = 128;
/** 16 bands of 8: two texts of similarity 0.8 meet in a band with a chance of 95 %, of 0.9 of 99.99 %. */
const BANDS = 16;
const ROWS = PERMUTATIONS / BANDS;
const SIMILAR = 0.8;
/** Equal bytes among 128 of two texts as similar as `SIMILAR`, less three standard deviations: fewer are not looked at. */
const LEAST_EQUAL = Math.floor(PERMUTATIONS * SIMILAR - 3 * Math.sqrt(PERMUTATIONS * SIMILAR * (1 - SIMILAR)));
/** Members of a bucket that a new one is compared with; only boilerplate fills larger ones. */
const COMPARED = 256;

export interface NearDuplicates {
  /** The texts are numbered from 0 in the order in which they are added. Texts about different things are never alike. */
  add(text: string, about?: string): void;
  /**
   * For each text the first of its group in `order` (which holds every number once); for a text that is like no other,
   * itself. Two texts whose shingles overlap by 0.8 (Jaccard) are in one group, and so is what is like either of them.
   */
  groups(order: readonly number[], textOf: (number: number) => string): Int32Array;
}

/**
 * Texts that are nearly the same, found by MinHash (Broder 1997) over shingles of five words and locality-sensitive hashing,
 * and confirmed by their true overlap: no pair is reported that is not one. 192 bytes of memory a text.
 */
export function nearDuplicates(seed: number): NearDuplicates {
  const mix = permutations(seed);
  const minima = new Uint32Array(PERMUTATIONS);
  let count = 0;
  let bands = new Uint32Array(BANDS * 1024);
  let lowBytes = new Uint8Array(PERMUTATIONS * 1024);

  function sameEnough(a: number, b: number): boolean {
    let equal = 0;
    for (let at = 0; at < PERMUTATIONS; at += 1)
      if (lowBytes[a * PERMUTATIONS + at] === lowBytes[b * PERMUTATIONS + at]) equal += 1;
    return equal >= LEAST_EQUAL;
  }

  return {
    add(text, about = '') {
      if ((count + 1) * BANDS > bands.length) {
        bands = grown(bands, new Uint32Array(bands.length * 2));
        lowBytes = grown(lowBytes, new Uint8Array(lowBytes.length * 2));
      }
      minima.fill(0xffffffff);
      for (const shingle of shinglesOf(text, about)) {
        for (let at = 0; at < PERMUTATIONS; at += 1) {
          const value = permuted(shingle, mix[at * 2] as number, mix[at * 2 + 1] as number);
          if (value < (minima[at] as number)) minima[at] = value;
        }
      }
      for (let at = 0; at < PERMUTATIONS; at += 1) lowBytes[count * PERMUTATIONS + at] = minima[at] as number;
      for (let band = 0; band < BANDS; band += 1) {
        let hash = band;
        for (let row = 0; row < ROWS; row += 1) hash = permuted(hash, minima[band * ROWS + row] as number, 0x9e3779b1);
        bands[count * BANDS + band] = hash;
      }
      count += 1;
    },

    groups(order, textOf) {
      const rank = new Int32Array(count);
      for (const [at, number] of order.entries()) rank[number] = at;
      const parent = Int32Array.from({ length: count }, (_, number) => number);
      const first = (number: number): number => {
        let at = number;
        while (parent[at] !== at) {
          parent[at] = parent[parent[at] as number] as number;
          at = parent[at] as number;
        }
        return at;
      };
      for (let band = 0; band < BANDS; band += 1) {
        for (const bucket of bucketsOf(band, rank, order)) {
          for (let b = 1; b < bucket.length; b += 1) {
            for (let a = 0; a < Math.min(b, COMPARED); a += 1) {
              const [one, other] = [first(bucket[a] as number), first(bucket[b] as number)];
              if (one === other || !sameEnough(bucket[a] as number, bucket[b] as number)) continue;
              if (similarity(textOf(bucket[a] as number), textOf(bucket[b] as number)) < SIMILAR) continue;
              if ((rank[one] as number) < (rank[other] as number)) parent[other] = one;
              else parent[one] = other;
            }
          }
        }
      }
      return parent.map((_, number) => first(number));
    },
  };

  /** Texts with the same hash of a band, in `order`, two or more at a time. Hash and rank are sorted as one number of 53 bits. */
  function* bucketsOf(band: number, rank: Int32Array, order: readonly number[]): Generator<number[]> {
    const places = 2 ** Math.ceil(Math.log2(count + 1));
    const hashes = Math.min(2 ** 32, 2 ** 53 / places);
    const keys = Float64Array.from(
      { length: count },
      (_, number) => ((bands[number * BANDS + band] as number) % hashes) * places + (rank[number] as number),
    ).sort();
    let start = 0;
    for (let at = 1; at <= count; at += 1) {
      const same = at < count && Math.floor((keys[at] as number) / places) === Math.floor((keys[start] as number) / places);
      if (same) continue;
      if (at - start > 1) yield Array.from(keys.subarray(start, at), (key) => order[key % places] as number);
      start = at;
    }
  }
}

/** Share of the shingles of two texts that both have. */
export function similarity(one: string, other: string): number {
  const [a, b] = [shinglesOf(one), shinglesOf(other)];
  let both = 0;
  for (const shingle of a) if (b.has(shingle)) both += 1;
  return both / (a.size + b.size - both);
}

/** Hashes of every five words in a row; of a shorter text, of all its words. */
function shinglesOf(text: string, about = ''): Set<number> {
  const first = hashOf(about);
  const words = wordsOf(text).map(hashOf);
  const found = new Set<number>();
  for (let at = 0; at === 0 || at + SHINGLE <= words.length; at += 1) {
    let hash = first;
    for (let next = at; next < Math.min(at + SHINGLE, words.length); next += 1)
      hash = permuted(hash, words[next] as number, 0x85ebca6b);
    found.add(hash);
  }
  return found;
}

/** FNV-1a. */
function hashOf(word: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < word.length; at += 1) hash = Math.imul(hash ^ word.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

function permuted(value: number, add: number, times: number): number {
  const mixed = Math.imul(value ^ add, times | 1);
  return Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) >>> 0;
}

/** Two numbers of 32 bits for each permutation. */
function permutations(seed: number): Uint32Array {
  const numbers = new Uint32Array(PERMUTATIONS * 2);
  for (let at = 0; at < PERMUTATIONS; at += 1) {
    const digest = createHash('sha256').update(`minhash ${seed} ${at}`).digest();
    numbers[at * 2] = digest.readUInt32LE(0);
    numbers[at * 2 + 1] = digest.readUInt32LE(4);
  }
  return numbers;
}

function grown<T extends Uint8Array | Uint32Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
