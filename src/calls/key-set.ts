/** A set of call keys (hex digits) by their first 8 bytes, 16 to 32 bytes a key: of a million keys no two are likely to agree. */
export interface KeySet {
  /** Says whether the key is new. */
  add(key: string): boolean;
}

export function keySet(capacity = 1024): KeySet {
  let slots = new Uint32Array(2 ** Math.ceil(Math.log2(capacity * 2)) * 2);
  let size = 0;

  /** 0 0 marks a free slot; the one key that would look like it is stored as 0 1. */
  function put(into: Uint32Array, high: number, low: number): boolean {
    const mask = into.length / 2 - 1;
    for (let slot = high & mask; ; slot = (slot + 1) & mask) {
      const at = slot * 2;
      if (into[at] === high && into[at + 1] === low) return false;
      if (into[at] === 0 && into[at + 1] === 0) {
        into[at] = high;
        into[at + 1] = low;
        return true;
      }
    }
  }

  function grow(): void {
    const larger = new Uint32Array(slots.length * 2);
    for (let at = 0; at < slots.length; at += 2) {
      const [high, low] = [slots[at] as number, slots[at + 1] as number];
      if (high !== 0 || low !== 0) put(larger, high, low);
    }
    slots = larger;
  }

  return {
    add(key) {
      const high = Number.parseInt(key.slice(0, 8), 16);
      const low = Number.parseInt(key.slice(8, 16), 16);
      const isNew = put(slots, high, high === 0 && low === 0 ? 1 : low);
      if (isNew) size += 1;
      if (size * 4 > slots.length) grow();
      return isNew;
    },
  };
}
