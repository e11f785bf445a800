import { counter } from '../../../base/counter.ts';
import type { Rating } from '../../../judging/rating.ts';
import type { RatedPrompt } from './rated-prompts.ts';

/** A judge in one aspect, under one template, and what became of its judgements. */
export type JudgeCounts = {
  readonly judge: string;
  readonly aspect: string;
  readonly template_id: string | null;
  readonly template_sha256: string | null;
  readonly ratings: number;
  readonly by_status: Readonly<Record<string, number>>;
  readonly not_applicable: number;
};

export type Histogram = readonly (readonly [value: number, count: number])[];

export type RatingStatistics = {
  readonly judges: readonly JudgeCounts[];
  /** by aspect; values that are no whole numbers fall into steps of a half */
  readonly histograms: Readonly<Record<string, Histogram>>;
};

/** Counts of all ratings, one prompt after another. What they say of the judges themselves is in the ratings' own report. */
export function ratingStatistics(): { add: (prompt: RatedPrompt) => void; found: () => RatingStatistics } {
  const judges = new Map<string, { of: Rating; ratings: number; status: ReturnType<typeof counter>; na: number }>();
  const histograms = new Map<string, Map<number, number>>();

  function addRating(rating: Rating): void {
    const { judge, aspect, template_id, template_sha256, value } = rating;
    const key = [judge, aspect, template_id, template_sha256].join('\n');
    const own = judges.get(key) ?? { of: rating, ratings: 0, status: counter(), na: 0 };
    judges.set(key, own);
    own.ratings += 1;
    own.status.add(rating.status);
    own.na += rating.na ? 1 : 0;
    if (value === null) return;
    const bins = histograms.get(aspect) ?? new Map<number, number>();
    histograms.set(aspect, bins);
    const bin = Number.isInteger(value) ? value : Math.round(value * 2) / 2;
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  }
  return {
    add({ ratings }) {
      for (const own of ratings.values()) own.forEach(addRating);
    },
    found: () => ({
      judges: [...judges.values()]
        .map(({ of: { judge, aspect, template_id, template_sha256 }, ratings, status, na }) => ({
          ...{ judge, aspect, template_id, template_sha256, ratings },
          ...{ by_status: status.counts(), not_applicable: na },
        }))
        .sort((a, b) => (`${a.judge} ${a.aspect}` < `${b.judge} ${b.aspect}` ? -1 : 1)),
      histograms: Object.fromEntries(
        [...histograms].sort(([a], [b]) => (a < b ? -1 : 1)).map(([aspect, bins]) => [aspect, sorted(bins)]),
      ),
    }),
  };
}

/** Counts of numbers in steps of `step`. */
export function histogram(values: Iterable<number>, step: number): Histogram {
  const bins = new Map<number, number>();
  for (const value of values) {
    // counted in whole steps, so that 0.30000000000000004 is not a bin of its own
    const bin = Number((Math.round(value / step) * step).toFixed(6));
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  }
  return sorted(bins);
}

function sorted(bins: ReadonlyMap<number, number>): Histogram {
  return [...bins].sort(([a], [b]) => a - b);
}
