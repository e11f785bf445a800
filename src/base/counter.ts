/** `4 in a benchmark, 2 empty` */
export function countsInWords(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${count} ${reason}`)
    .join(', ');
}

/** Counts by reason, largest first when written. */
export function counter(): {
  readonly add: (reason: string, by?: number) => void;
  readonly counts: () => Record<string, number>;
} {
  const counts = new Map<string, number>();
  return {
    add: (reason, by = 1) => void counts.set(reason, (counts.get(reason) ?? 0) + by),
    counts: () => Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))),
  };
}
