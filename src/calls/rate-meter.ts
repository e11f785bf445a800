const SECONDS = 60;

/** Sums over the last minute, one slot a second. Times in milliseconds of one steady clock. */
export interface RateMeter {
  add(amount: number, now: number): void;
  sum(now: number): number;
}

export function rateMeter(): RateMeter {
  const slots = new Float64Array(SECONDS);
  let second = 0;

  /** Empties the slots of the seconds that nothing came in. */
  function turnTo(now: number): void {
    const next = Math.floor(now / 1000);
    for (let gone = Math.max(second + 1, next - SECONDS + 1); gone <= next; gone += 1) slots[gone % SECONDS] = 0;
    second = Math.max(second, next);
  }

  return {
    add(amount, now) {
      turnTo(now);
      slots[second % SECONDS] = (slots[second % SECONDS] as number) + amount;
    },
    sum(now) {
      turnTo(now);
      return slots.reduce((sum, slot) => sum + slot, 0);
    },
  };
}
