import { createHash } from 'node:crypto';
import { wordsOf } from './words.ts';

/** Words of a shingle. */
const SHINGLE = 5;
const PERMUTATIONS = 128;
/** 16 bands of 8: two texts of similarity 0.8 meet in a band with a chance of 95 %, of 0.9 of 99.99 %. */
const BANDS = 16;
const ROWS = PERMUTATIONS / BANDS;
const SIMILAR = 0.8;
/** Equal bytes among 128 that two texts of similarity `SIMILAR` have, less three standard deviations: with fewer they are not compared. */
const LEAST_EQUAL = Math.floor(PERMUTATIONS * SIMILAR - 3 * Math.sqrt(PERMUTATIONS * SIMILAR * (1 - SIMILAR)));
/** A member of a bucket is compared with this number of first members at most, since only boilerplate fills larger buckets. */
const COMPARED = 256;

/**
 * Texts that are nearly the same, found by MinHash (Broder 1997) over shingles of five words and locality-sensitive hashing,
 * and confirmed by their true overlap: no pair is reported that is not one. 192 bytes of memory a text.
 */
export class NearDuplicates {
  /** two numbers for each permutation */
  readonly #mix: Uint32Array;
  readonly #minima = new Uint32Array(PERMUTATIONS);
  #count = 0;
  /** of each text a hash for each band */
  #bands = new Uint32Array(BANDS * 1024);
  /** of each text the lowest byte of each minimum */
  #lowBytes = new Uint8Array(PERMUTATIONS * 1024);

  constructor(seed: number) {
    this.#mix = permutations(seed);
  }

  /** The texts are numbered from 0 in the order in which they are added. Texts about different things are never alike. */
  add(text: string, about = ''): void {
    if ((this.#count + 1) * BANDS > this.#bands.length) {
      this.#bands = grown(this.#bands, new Uint32Array(this.#bands.length * 2));
      this.#lowBytes = grown(this.#lowBytes, new Uint8Array(this.#lowBytes.length * 2));
    }
    const minima = this.#minima.fill(0xffffffff);
    for (const shingle of shinglesOf(text, about)) this.#lower(shingle);
    for (let at = 0; at < PERMUTATIONS; at += 1) this.#lowBytes[this.#count * PERMUTATIONS + at] = minima[at] as number;
    for (let band = 0; band < BANDS; band += 1) {
      let hash = band;
      for (let row = 0; row < ROWS; row += 1) hash = permuted(hash, minima[band * ROWS + row] as number, 0x9e3779b1);
      this.#bands[this.#count * BANDS + band] = hash;
    }
    this.#count += 1;
  }

  #lower(shingle: number): void {
    for (let at = 0; at < PERMUTATIONS; at += 1) {
      const value = permuted(shingle, this.#mix[at * 2] as number, this.#mix[at * 2 + 1] as number);
      if (value < (this.#minima[at] as number)) this.#minima[at] = value;
    }
  }

  /**
   * For each text the first of its group in `order` (which holds every number once); for a text that is like no other,
   * itself. Two texts whose shingles overlap by 0.8 (Jaccard) are in one group, and so is what is like either of them.
   */
  groups(order: readonly number[], textOf: (number: number) => string): Int32Array {
    const rank = new Int32Array(this.#count);
    for (const [at, number] of order.entries()) rank[number] = at;
    const groups = new Groups(rank);
    const isAlike = (one: number, other: number) =>
      !groups.areOne(one, other) && this.#isLikely(one, other) && similarity(textOf(one), textOf(other)) >= SIMILAR;
    const compare = (bucket: readonly number[], at: number, other: number) => {
      for (const one of bucket.slice(0, Math.min(at, COMPARED))) if (isAlike(one, other)) groups.join(one, other);
    };
    for (let band = 0; band < BANDS; band += 1)
      for (const bucket of this.#bucketsOf(band, rank, order))
        for (const [at, other] of bucket.entries()) compare(bucket, at, other);
    return rank.map((_, number) => groups.firstOf(number));
  }

  #isLikely(a: number, b: number): boolean {
    let equal = 0;
    for (let at = 0; at < PERMUTATIONS; at += 1)
      if (this.#lowBytes[a * PERMUTATIONS + at] === this.#lowBytes[b * PERMUTATIONS + at]) equal += 1;
    return equal >= LEAST_EQUAL;
  }

  /** Texts with the same hash of a band, in `order`, two or more at a time. Hash and rank are sorted as one number of 53 bits. */
  *#bucketsOf(band: number, rank: Int32Array, order: readonly number[]): Generator<number[]> {
    const places = 2 ** Math.ceil(Math.log2(this.#count + 1));
    const hashes = Math.min(2 ** 32, 2 ** 53 / places);
    const keyOf = (number: number) =>
      ((this.#bands[number * BANDS + band] as number) % hashes) * places + (rank[number] as number);
    const keys = Float64Array.from({ length: this.#count }, (_, number) => keyOf(number)).sort();
    const hashOf = (at: number) => Math.floor((keys[at] as number) / places);
    for (let start = 0, at = 1; at <= this.#count; at += 1) {
      if (at < this.#count && hashOf(at) === hashOf(start)) continue;
      if (at - start > 1) yield Array.from(keys.subarray(start, at), (key) => order[key % places] as number);
      start = at;
    }
  }
}

/** Numbers in groups that can be joined (union-find), each known by its member of the lowest rank. */
class Groups {
  readonly #rank: Int32Array;
  readonly #parent: Int32Array;

  constructor(rank: Int32Array) {
    this.#rank = rank;
    this.#parent = rank.map((_, number) => number);
  }

  firstOf(number: number): number {
    const parent = this.#parent;
    let at = number;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at] as number] as number;
      at = parent[at] as number;
    }
    return at;
  }

  areOne(a: number, b: number): boolean {
    return this.firstOf(a) === this.firstOf(b);
  }

  join(a: number, b: number): void {
    const [one, other] = [this.firstOf(a), this.firstOf(b)];
    const isFirst = (this.#rank[one] as number) < (this.#rank[other] as number);
    this.#parent[isFirst ? other : one] = isFirst ? one : other;
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
