/** Says when so many calls fail for good that going on makes no sense: by the last calls, not by all of them. */
export interface StopRule {
  /** Returns the failed calls of the window when it is time to stop. */
  settled(key: string, failed: boolean): readonly string[] | undefined;
}

/** At least half of the last 50 to 100 calls. */
export function stopRule({ share = 0.5, least = 50, size = 100 } = {}): StopRule {
  /** keys of the failed calls, in order, with their numbers */
  const failures: { readonly key: string; readonly number: number }[] = [];
  let count = 0;

  return {
    settled(key, failed) {
      count += 1;
      if (failed) failures.push({ key, number: count });
      while (failures[0] !== undefined && failures[0].number <= count - size) failures.shift();
      const seen = Math.min(count, size);
      return seen >= least && failures.length >= share * seen ? failures.map((failure) => failure.key) : undefined;
    },
  };
}
