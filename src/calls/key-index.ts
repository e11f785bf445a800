/** What the log knows of a call, as numbers. */
export interface Entry {
  readonly state: 'sent' | 'rejected' | 'failed' | 'done';
  /** It comes from the run's own folder. */
  readonly own: boolean;
  readonly attempt: number;
  /** Where its record is: the number of the file, bytes. */
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
  /** milliseconds since 1970; 0 where nobody asks */
  readonly sentAt: number;
  /** paid, or while it is `sent` estimated */
  readonly usd: number | null;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** number of its batch, 0 for none */
  readonly batch: number;
}

/**
 * A map from call keys (hex digits) to entries, packed into typed arrays: about 80 bytes a call, where objects and strings
 * take 500. It goes by the first 16 bytes of a key, so whoever reads a record compares the whole of it: two keys that agree
 * in 16 bytes are one entry here.
 */
export interface KeyIndex {
  readonly size: number;
  get(key: string): Entry | undefined;
  set(key: string, entry: Entry): void;
}

const STATES = ['sent', 'rejected', 'failed', 'done'] as const;
const OWN = 8;
const WORDS = 4;

/** `capacity`: entries at first; it doubles when it is full. */
export function keyIndex(capacity = 1024): KeyIndex {
  let size = 0;
  let room = capacity;
  let keys = new Uint32Array(room * WORDS);
  let states = new Uint8Array(room);
  let attempts = new Uint32Array(room);
  let segments = new Uint32Array(room);
  // Not 32 bits: a segment from elsewhere may be of any size.
  let offsets = new Float64Array(room);
  let lengths = new Uint32Array(room);
  let times = new Float64Array(room);
  let dollars = new Float64Array(room);
  let prompts = new Uint32Array(room);
  let completions = new Uint32Array(room);
  let batches = new Uint32Array(room);
  /** Open addressing: entry + 1, or 0; never more than half full. */
  let slots = new Uint32Array(slotsFor(room));
  const wanted = new Uint32Array(WORDS);

  /** The slot where the wanted key is, or would go. */
  function slotOf(): number {
    const mask = slots.length - 1;
    let slot = spread(wanted, 0) & mask;
    for (; ; slot = (slot + 1) & mask) {
      const entry = slots[slot] as number;
      if (entry === 0) return slot;
      const at = (entry - 1) * WORDS;
      if (keys[at] === wanted[0] && keys[at + 1] === wanted[1] && keys[at + 2] === wanted[2] && keys[at + 3] === wanted[3])
        return slot;
    }
  }

  function want(key: string): void {
    for (let word = 0; word < WORDS; word += 1) wanted[word] = Number.parseInt(key.slice(word * 8, word * 8 + 8), 16);
  }

  function grow(): void {
    room *= 2;
    keys = longer(keys, room * WORDS);
    states = longer(states, room);
    attempts = longer(attempts, room);
    segments = longer(segments, room);
    offsets = longer(offsets, room);
    lengths = longer(lengths, room);
    times = longer(times, room);
    dollars = longer(dollars, room);
    prompts = longer(prompts, room);
    completions = longer(completions, room);
    batches = longer(batches, room);
    slots = new Uint32Array(slotsFor(room));
    const mask = slots.length - 1;
    for (let entry = 0; entry < size; entry += 1) {
      let slot = spread(keys, entry * WORDS) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = entry + 1;
    }
  }

  return {
    get size() {
      return size;
    },
    get(key) {
      want(key);
      const at = (slots[slotOf()] as number) - 1;
      if (at < 0) return undefined;
      const state = states[at] as number;
      const usd = dollars[at] as number;
      return {
        state: STATES[state & 3] as Entry['state'],
        own: (state & OWN) !== 0,
        attempt: attempts[at] as number,
        segment: segments[at] as number,
        offset: offsets[at] as number,
        length: lengths[at] as number,
        sentAt: times[at] as number,
        usd: Number.isNaN(usd) ? null : usd,
        promptTokens: prompts[at] as number,
        completionTokens: completions[at] as number,
        batch: batches[at] as number,
      };
    },
    set(key, entry) {
      if (size === room) grow();
      want(key);
      const slot = slotOf();
      let at = (slots[slot] as number) - 1;
      if (at < 0) {
        at = size;
        size += 1;
        slots[slot] = size;
        keys.set(wanted, at * WORDS);
      }
      states[at] = STATES.indexOf(entry.state) | (entry.own ? OWN : 0);
      attempts[at] = entry.attempt;
      segments[at] = entry.segment;
      offsets[at] = entry.offset;
      lengths[at] = entry.length;
      times[at] = entry.sentAt;
      dollars[at] = entry.usd ?? Number.NaN;
      prompts[at] = entry.promptTokens;
      completions[at] = entry.completionTokens;
      batches[at] = entry.batch;
    },
  };
}

/** Keys are hashes: their bits need no mixing, but for keys made by hand. */
function spread(words: Uint32Array, at: number): number {
  const mixed = (words[at] as number) ^ (words[at + 1] as number) ^ (words[at + 2] as number) ^ (words[at + 3] as number);
  return Math.imul(mixed, 0x9e3779b1) >>> 0;
}

function slotsFor(room: number): number {
  return 2 ** Math.ceil(Math.log2(room * 2));
}

function longer<T extends Uint8Array | Uint32Array | Float64Array>(old: T, length: number): T {
  const next = new (old.constructor as new (length: number) => T)(length);
  next.set(old);
  return next;
}
