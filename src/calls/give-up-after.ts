/** Notices what brings nothing: so many results of somebody without a good one, and going on is taken to make no sense. */
export interface InVain<Who> {
  heard(who: Who, isGood: boolean): void;
  isHopeless(who: Who): boolean;
}

/** One good result is enough for ever: from then on the bad ones are only counted, elsewhere. */
export function watchInVain<Who>(least: number): InVain<Who> {
  const bad = new Map<Who, number>();
  return {
    heard: (who, isGood) => void bad.set(who, isGood ? Number.NEGATIVE_INFINITY : (bad.get(who) ?? 0) + 1),
    isHopeless: (who) => (bad.get(who) ?? 0) >= least,
  };
}
