import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Full jitter: uniform between 0 and base x 2^(tries - 1), at most `cap`, so that calls that failed together do not come
 * back together. aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter
 */
export function backoffMs(tries: number, base: number, cap: number, random: number): number {
  return random * Math.min(cap, base * 2 ** Math.max(0, tries - 1));
}

/** Milliseconds that a timer takes at most; one of more ends at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Waits, 24 days at most, or returns at once when the signal comes. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return;
  await sleep(Math.min(ms, LONGEST_MS), undefined, { signal }).catch(() => undefined);
}
