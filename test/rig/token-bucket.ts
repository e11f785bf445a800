export interface BucketOptions {
  readonly perMinute: number;
  /** A full bucket holds what comes in within so many seconds. */
  readonly burstSeconds: number;
}

/** A bucket that is refilled continuously. Times are milliseconds of one steady clock. */
export interface TokenBucket {
  readonly perMinute: number;
  /** What it holds when it is full. */
  readonly capacity: number;
  /** What it holds now. */
  level(nowMs: number): number;
  take(amount: number, nowMs: number): void;
  /** Milliseconds until it holds so much; 0 if it does. More than it can ever hold: until it is full. */
  waitFor(amount: number, nowMs: number): number;
  /** Milliseconds until it is full. */
  untilFull(nowMs: number): number;
}

export function tokenBucket({ perMinute, burstSeconds }: BucketOptions): TokenBucket {
  const perMs = perMinute / 60_000;
  // Room for one call at the least, or a small limit would let nobody in.
  const capacity = Math.max(1, perMs * burstSeconds * 1000);
  let held = capacity;
  let at = 0;
  const level = (nowMs: number): number => {
    held = Math.min(capacity, held + (nowMs - at) * perMs);
    at = nowMs;
    return held;
  };
  const waitFor = (amount: number, nowMs: number) => Math.max(0, (Math.min(amount, capacity) - level(nowMs)) / perMs);
  return {
    perMinute,
    capacity,
    level,
    take: (amount, nowMs) => {
      held = level(nowMs) - amount;
    },
    waitFor,
    untilFull: (nowMs) => waitFor(capacity, nowMs),
  };
}
