/** What the log knows of a call, as numbers. */
export interface Entry {
  readonly state: 'sent' | 'rejected' | 'done';
  /** It comes from the run's own folder. */
  readonly own: boolean;
  readonly attempt: number;
  /** Where its record is: the number of the file, bytes. */
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
  /** milliseconds since 1970; 0 unless it is `sent` */
  readonly sentAt: number;
  /** paid, or while it is `sent` estimated */
  readonly usd: number | null;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** number of its batch, 0 for none */
  readonly batch: number;
}

const STATES = ['sent', 'rejected', 'done'] as const;
const OWN = 8;
const MARKED = 16;
const WORDS = 4;

/** Room for some entries. It grows by pages, not by copies twice as large: what those leave behind is never given back. */
function newPage(entries: number) {
  return {
    keys: new Uint32Array(entries * WORDS),
    states: new Uint8Array(entries),
    attempts: new Uint32Array(entries),
    segments: new Uint32Array(entries),
    /** Not 32 bits: a segment from elsewhere may be of any size. */
    offsets: new Float64Array(entries),
    lengths: new Uint32Array(entries),
    times: new Float64Array(entries),
    dollars: new Float64Array(entries),
    prompts: new Uint32Array(entries),
    completions: new Uint32Array(entries),
    batches: new Uint32Array(entries),
  };
}
type IndexPage = ReturnType<typeof newPage>;

/**
 * A map from call keys (hex digits) to entries, packed into typed arrays: about 80 bytes a call, where objects and strings
 * take 500. It goes by the first 16 bytes of a key, so the reader of a record compares the whole of it: two keys that agree
 * in 16 bytes are one entry here.
 */
export class KeyIndex {
  readonly #pageBits: number;
  readonly #pages: IndexPage[] = [];
  #size = 0;
  /** Open addressing: number of an entry + 1, or 0; a power of two of them, at most half of them taken. */
  #slots: Uint32Array;
  readonly #wanted = new Uint32Array(WORDS);

  /** `pageBits`: a page has 2^pageBits entries. */
  constructor(pageBits = 14) {
    this.#pageBits = pageBits;
    this.#slots = new Uint32Array(2 * this.#perPage);
  }

  get size(): number {
    return this.#size;
  }

  get(key: string): Entry | undefined {
    this.#want(key);
    const entry = (this.#slots[this.#slot()] as number) - 1;
    if (entry < 0) return undefined;
    const page = this.#pageOf(entry);
    const row = this.#rowOf(entry);
    const state = page.states[row] as number;
    const usd = page.dollars[row] as number;
    return {
      state: STATES[state & 3] as Entry['state'],
      own: (state & OWN) !== 0,
      attempt: page.attempts[row] as number,
      segment: page.segments[row] as number,
      offset: page.offsets[row] as number,
      length: page.lengths[row] as number,
      sentAt: page.times[row] as number,
      usd: Number.isNaN(usd) ? null : usd,
      promptTokens: page.prompts[row] as number,
      completionTokens: page.completions[row] as number,
      batch: page.batches[row] as number,
    };
  }

  set(key: string, values: Entry): void {
    this.#makeRoom();
    this.#want(key);
    const slot = this.#slot();
    let entry = (this.#slots[slot] as number) - 1;
    if (entry < 0) {
      entry = this.#size;
      this.#size += 1;
      this.#slots[slot] = this.#size;
      this.#pageOf(entry).keys.set(this.#wanted, this.#rowOf(entry) * WORDS);
    }
    const page = this.#pageOf(entry);
    const row = this.#rowOf(entry);
    page.states[row] = STATES.indexOf(values.state) | (values.own ? OWN : 0) | ((page.states[row] as number) & MARKED);
    page.attempts[row] = values.attempt;
    page.segments[row] = values.segment;
    page.offsets[row] = values.offset;
    page.lengths[row] = values.length;
    page.times[row] = values.sentAt;
    page.dollars[row] = values.usd ?? Number.NaN;
    page.prompts[row] = values.promptTokens;
    page.completions[row] = values.completionTokens;
    page.batches[row] = values.batch;
  }

  /** Marks a key that is in the index, until this process ends; says whether it was not marked yet. */
  mark(key: string): boolean {
    this.#want(key);
    const entry = (this.#slots[this.#slot()] as number) - 1;
    if (entry < 0) return false;
    const { states } = this.#pageOf(entry);
    const row = this.#rowOf(entry);
    const state = states[row] as number;
    states[row] = state | MARKED;
    return (state & MARKED) === 0;
  }

  get #perPage(): number {
    return 1 << this.#pageBits;
  }

  #pageOf(entry: number): IndexPage {
    return this.#pages[entry >>> this.#pageBits] as IndexPage;
  }

  #rowOf(entry: number): number {
    return entry & (this.#perPage - 1);
  }

  #want(key: string): void {
    for (let word = 0; word < WORDS; word += 1) this.#wanted[word] = Number.parseInt(key.slice(word * 8, word * 8 + 8), 16);
  }

  #isWanted(entry: number): boolean {
    const { keys } = this.#pageOf(entry);
    const at = this.#rowOf(entry) * WORDS;
    const wanted = this.#wanted;
    return keys[at] === wanted[0] && keys[at + 1] === wanted[1] && keys[at + 2] === wanted[2] && keys[at + 3] === wanted[3];
  }

  /** The slot where the wanted key is, or would go. */
  #slot(): number {
    const mask = this.#slots.length - 1;
    let slot = spread(this.#wanted, 0) & mask;
    while (this.#slots[slot] !== 0 && !this.#isWanted((this.#slots[slot] as number) - 1)) slot = (slot + 1) & mask;
    return slot;
  }

  #makeRoom(): void {
    if (this.#size === this.#pages.length * this.#perPage) this.#pages.push(newPage(this.#perPage));
    if (2 * this.#size < this.#slots.length) return;
    this.#slots = new Uint32Array(2 * this.#slots.length);
    const mask = this.#slots.length - 1;
    for (let entry = 0; entry < this.#size; entry += 1) {
      let slot = spread(this.#pageOf(entry).keys, this.#rowOf(entry) * WORDS) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = entry + 1;
    }
  }
}

/** Keys are hashes: their bits need no mixing, but for keys made by hand. */
function spread(words: Uint32Array, at: number): number {
  const mixed = (words[at] as number) ^ (words[at + 1] as number) ^ (words[at + 2] as number) ^ (words[at + 3] as number);
  return Math.imul(mixed, 0x9e3779b1) >>> 0;
}
