const SECONDS = 60;

/** Sums over the last minute, one slot a second. Times in milliseconds of one steady clock. */
export class RateMeter {
  readonly #slots = new Float64Array(SECONDS);
  #second = 0;

  add(amount: number, now: number): void {
    this.#turnTo(now);
    this.#slots[this.#second % SECONDS] = (this.#slots[this.#second % SECONDS] as number) + amount;
  }

  sum(now: number): number {
    this.#turnTo(now);
    return this.#slots.reduce((sum, slot) => sum + slot, 0);
  }

  /** Empties the slots of the seconds that nothing came in. */
  #turnTo(now: number): void {
    const next = Math.floor(now / 1000);
    for (let gone = Math.max(this.#second + 1, next - SECONDS + 1); gone <= next; gone += 1) this.#slots[gone % SECONDS] = 0;
    this.#second = Math.max(this.#second, next);
  }
}
