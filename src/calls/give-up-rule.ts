/** Says when so many calls fail for good that going on makes no sense: by the last calls, not by all of them. */
export interface GiveUpRule {
  /** Returns how many calls of the window failed, when it is time to stop. */
  settled(failed: boolean): number | undefined;
}

/** At least half of the last 50 to 100 calls. */
export function giveUpRule({ share = 0.5, least = 50, size = 100 } = {}): GiveUpRule {
  /** numbers of the failed calls, in order */
  const failures: number[] = [];
  let count = 0;

  return {
    settled(failed) {
      count += 1;
      if (failed) failures.push(count);
      while (failures[0] !== undefined && failures[0] <= count - size) failures.shift();
      const seen = Math.min(count, size);
      return seen >= least && failures.length >= share * seen ? failures.length : undefined;
    },
  };
}
